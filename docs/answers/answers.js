"use strict";

// The parsers for answers that are text, numbers, booleans, choices or time zones, and the checks of all answers. The
// counterpart of local_extensions/answers.py and of the checks in plan.py.

const QUESTIONS_BY_NAME = Object.fromEntries(TEMPLATE.questions.map((question) => [question.name, question]));
const FILTERS = { slug: slugify, last_queue: getLastQueue };

// Return the default of a question. Some defaults are computed from another answer.
function computeDefault(name, answers) {
  const text = QUESTIONS_BY_NAME[name].default;
  return typeof text !== "string"
    ? text
    : text.replace(/\{\{ cookiecutter\.(\w+) \| (\w+) \}\}/g, (_, question, filter) =>
        FILTERS[filter](getAnswer(answers, question)),
      );
}

// Return the default answers to all questions, except those that are given.
function completeAnswers(given) {
  const answers = {};
  for (const { name } of TEMPLATE.questions) {
    answers[name] = given[name] ?? computeDefault(name, answers);
  }
  return answers;
}

function getAnswer(answers, question) {
  return strip(String(answers[question] ?? ""));
}

// Check the answers to all questions. Return the errors in the order of the template, the queues and the jobs.
function checkAnswers(answers) {
  const errors = new AnswerErrors();
  for (const question of Object.keys(TEMPLATE.limits.textLengths)) {
    parseText(answers, question, errors);
  }
  parseSlug(answers, errors);
  const chosen = {};
  const choose = (question) => {
    chosen[question] = parseChoice(answers, question, errors);
  };
  ["framework", "broker", "result_backend"].forEach(choose);
  const queues = parseQueues(getAnswer(answers, "queues"), errors);
  const jobs = parseJobs(getAnswer(answers, "beat_jobs"), queues, errors);
  choose("beat_scheduler");
  parseTimezone(answers, errors);
  chosen.task_time_limit = parseTimeLimit(answers, errors);
  TEMPLATE.questions
    .filter((question) => typeof question.default === "boolean")
    .forEach((question) => parseBoolean(answers, question.name, errors));
  chosen.extras = parseExtras(answers, errors).join(", ");
  TEMPLATE.questions
    .filter((question) => question.choices && !(question.name in chosen))
    .forEach((question) => choose(question.name));
  checkCombinations(chosen, errors);
  checkNumberOfQueues(answers, chosen.broker, queues.size, errors);
  checkSolarSchedules(jobs, chosen.beat_scheduler, errors);
  return { errors, queues: [...queues.values()], jobs };
}

function parseText(answers, question, errors) {
  const text = getAnswer(answers, question);
  const length = countCharacters(text);
  const maximum = TEMPLATE.limits.textLengths[question];
  if (!text) {
    errors.add(question, text, "is empty");
  } else if (length > maximum) {
    errors.add(question, text, `has ${length} characters; the maximum is ${maximum}`);
  } else if (new RegExp(TEMPLATE.patterns.forbiddenCharacters, "u").test(text)) {
    errors.add(question, text, "contains a line break, a control character or a text direction override");
  } else if (question === "author_email" && !matchesFully(TEMPLATE.patterns.email, text)) {
    errors.add(question, text, "is not a valid email address");
  }
}

function matchesFully(pattern, text) {
  return new RegExp(`^(?:${pattern})$`).test(text);
}

function parseSlug(answers, errors) {
  const word = String(answers.project_slug ?? "");
  const problem = findSlugProblem(word);
  if (problem) {
    errors.add("project_slug", word, problem, { example: slugify(word) });
  }
}

function parseChoice(answers, question, errors) {
  const name = getAnswer(answers, question);
  const offered = QUESTIONS_BY_NAME[question].choices.map((choice) => choice.name);
  if (offered.includes(name)) {
    return name;
  }
  const problem = `is not a valid choice (choose from ${offered.join(", ")})`;
  errors.add(question, name, problem, { example: offered[0] });
  return offered[0];
}

function parseBoolean(answers, question, errors) {
  const word = getAnswer(answers, question).toLowerCase();
  if (![...TEMPLATE.words.true, ...TEMPLATE.words.false].includes(word)) {
    const example = String(QUESTIONS_BY_NAME[question].default);
    errors.add(question, word, "is not a boolean (yes or no)", { example });
  }
}

function parseExtras(answers, errors) {
  const text = getAnswer(answers, "extras");
  const names = ["", "none"].includes(text) ? [] : text.split(",").map(strip);
  const known = TEMPLATE.extras.map((extra) => extra.name);
  for (const name of names) {
    if (!known.includes(name)) {
      errors.add("extras", name, `is not an extra (choose from ${known.join(", ")})`);
    } else if (names.filter((other) => other === name).length > 1) {
      errors.add("extras", name, "is listed twice");
    }
  }
  return known.filter((name) => names.includes(name));
}

function parseTimeLimit(answers, errors) {
  const maximum = TEMPLATE.limits.taskTimeLimit;
  const text = getAnswer(answers, "task_time_limit");
  const digits = text.replace(/^0+/, "");
  if (/^[0-9]{1,5}$/.test(digits) && Number(digits) <= maximum) {
    return digits;
  }
  errors.add("task_time_limit", text, `is not a whole number of seconds from 1 to ${maximum} (12 hours)`);
  return String(maximum);
}

function parseTimezone(answers, errors) {
  const name = getAnswer(answers, "timezone");
  if (name === "UTC") {
    return;
  }
  if (!name) {
    errors.add("timezone", name, "is empty");
  } else if (!TEMPLATE.timezones.includes(name)) {
    const lowercase = name.toLowerCase().replaceAll(" ", "_");
    const example = TEMPLATE.timezones.find((zone) => zone.toLowerCase() === lowercase);
    errors.add("timezone", name, "is not an IANA time zone name", { example });
  } else if (!matchesFully(TEMPLATE.patterns.timezone, name)) {
    errors.add("timezone", name, "is not an IANA time zone name");
  }
}

function checkCombinations(chosen, errors) {
  for (const combination of TEMPLATE.unsupported) {
    const refused = Object.entries(combination.answers).every(([question, alternatives]) =>
      chosen[question].split(", ").some((answer) => alternatives.includes(answer)),
    );
    const limit = combination.maxTaskTimeLimit;
    if (refused && (limit === null || Number(chosen.task_time_limit) > limit)) {
      const [question, [answer]] = Object.entries(combination.answers)[0];
      errors.add(question, answer, combination.reason, { example: combination.alternative });
    }
  }
}

function checkNumberOfQueues(answers, broker, number, errors) {
  const maximum = TEMPLATE.maxQueuesOfBroker[broker];
  if (maximum && number > maximum) {
    const problem = `has ${number} queues; the maximum with broker '${broker}' is ${maximum}`;
    errors.add("queues", getAnswer(answers, "queues"), problem);
  }
}

function checkSolarSchedules(jobs, scheduler, errors) {
  for (const job of jobs) {
    if (job.schedule.kind === "solar" && TEMPLATE.schedulersWithoutSolar.includes(scheduler)) {
      const problem = `has a solar schedule, which beat_scheduler '${scheduler}' does not support`;
      errors.add("beat_jobs", job.name, problem, { example: `${job.name} = 0 6 * * *`, row: job.row });
    }
  }
}
