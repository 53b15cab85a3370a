"use strict";

// The command and the replay file of the answers.

const REPOSITORY = "gh:org/celery-template";

// Return the answers that differ from their defaults.
function selectChangedAnswers(answers) {
  return Object.fromEntries(
    Object.entries(answers).filter(([name, answer]) => answer !== computeDefault(name, answers)),
  );
}

function formatCommand(answers) {
  const changed = Object.entries(selectChangedAnswers(answers));
  const words = changed.map(([name, answer]) => `${name}=${quoteForShell(String(answer))}`);
  return [`cookiecutter ${REPOSITORY} --no-input`, ...words].join(" \\\n  ");
}

// Quote a word for a POSIX shell.
function quoteForShell(word) {
  if (/^[\w@%+=:,./-]+$/.test(word)) {
    return word;
  }
  // Double quotes are easier to read than escaped single quotes.
  return word.includes("'") && !/["$`\\!]/.test(word) ? `"${word}"` : `'${word.replaceAll("'", `'"'"'`)}'`;
}

// A replay file has all answers: Cookiecutter asks nothing.
function formatReplay(answers) {
  return `${JSON.stringify({ cookiecutter: answers }, null, 2)}\n`;
}

function nameReplayFile(answers) {
  return findSlugProblem(answers.project_slug) ? "answers.json" : `${answers.project_slug}.json`;
}

function formatReplayCommand(answers) {
  return `cookiecutter ${REPOSITORY} \\\n  --replay-file ${nameReplayFile(answers)}`;
}
