"use strict";

// The parser for `beat_jobs`: `name[(arguments)] = schedule [-> queue]`, separated by `;` or line breaks. The
// counterpart of local_extensions/beat.py.

const SEPARATOR = /[;\r\n]/g;
const BEFORE_SCHEDULE = /[;\r\n=(]/g;
const IN_ARGUMENTS = /["'()[\]{}]/g;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'/uy;

function parseJobs(text, queues, errors) {
  const jobs = new Map();
  for (const [row, piece] of splitJobs(text === "none" ? "" : text).entries()) {
    if (row === TEMPLATE.limits.jobs) {
      errors.add("beat_jobs", piece.text, `exceeds the maximum of ${row} jobs`, { row });
      break;
    }
    const name = toIdentifier(piece.name);
    if (jobs.has(name)) {
      errors.add("beat_jobs", piece.text, "has a duplicate name ('-' and '_' are equivalent)", { row });
    }
    jobs.set(name, parseJob(piece, row, queues, errors));
  }
  return [...jobs.values()].filter((job) => job);
}

// Return the job, or null if it is invalid. Each error that can be detected is added to `errors`.
function parseJob(piece, row, queues, errors) {
  const problems = [findJobNameProblem(piece.name)].filter((problem) => problem);
  const length = countCharacters(piece.text);
  const maximum = TEMPLATE.limits.jobLength;
  let job = null;
  if (piece.schedule === null) {
    problems.push(
      piece.arguments === null
        ? "has no schedule; write name = schedule"
        : "has an unclosed bracket or quote in its arguments, or no '=' after them",
    );
  } else if (length > maximum) {
    problems.push(`has ${length} characters; the maximum is ${maximum}`);
  } else {
    job = parseParts(piece, row, queues, problems);
  }
  problems.forEach((problem) => errors.add("beat_jobs", piece.text, problem, { row }));
  return problems.length || !job.queue ? null : job;
}

function parseParts(piece, row, queues, problems) {
  const [schedule, arrow, queueName] = partition(piece.schedule, "->");
  const job = { name: piece.name, row, arguments: [], schedule: null, queue: null };
  try {
    job.arguments = piece.arguments ? parseArguments(piece.arguments) : [];
  } catch (error) {
    problems.push(getProblem(error, ArgumentError));
  }
  try {
    job.schedule = parseSchedule(schedule);
  } catch (error) {
    problems.push(getProblem(error, ScheduleError));
  }
  const queue = arrow ? queues.get(toIdentifier(strip(queueName))) : queues.values().next().value;
  if (!queue && queues.size) {
    problems.push(`has an unknown queue after '->' (choose from ${formatQueueNames(queues)})`);
  }
  job.queue = queue?.name ?? null;
  return job;
}

// Return the message of an error of a parser. Other errors are raised again.
function getProblem(error, kind) {
  if (error instanceof kind) {
    return error.message;
  }
  throw error;
}

function formatQueueNames(queues) {
  const names = [...queues.values()].map((queue) => quotePiece(queue.name));
  return (names.length <= 5 ? names : [...names.slice(0, 5), "…"]).join(", ");
}

// Split an answer into jobs. Empty items, for example after a trailing `;`, are skipped. A missing part is null.
function splitJobs(text) {
  const pieces = [];
  for (let start = 0; start < text.length;) {
    const { bracket, equals, end } = findDelimiters(text, start);
    const head = equals ?? end;
    const piece = {
      text: strip(text.slice(start, end)),
      name: strip(text.slice(start, bracket ?? head)),
      arguments: bracket === null ? null : strip(text.slice(bracket, head)),
      schedule: equals === null ? null : text.slice(equals + 1, end),
    };
    if (piece.text) {
      pieces.push(piece);
    }
    start = end + 1;
  }
  return pieces;
}

// Return the positions of the first parenthesis, of `=` and of the end of the job that begins at `start`.
function findDelimiters(text, start) {
  let bracket = null;
  let match = search(BEFORE_SCHEDULE, text, start);
  while (match) {
    let position = match.index;
    if (match[0] === "(") {
      bracket ??= position;
      position = findClosingBracket(text, position + 1);
    } else if (match[0] === "=") {
      return { bracket, equals: position, end: search(SEPARATOR, text, position + 1)?.index ?? text.length };
    } else {
      return { bracket, equals: null, end: position };
    }
    match = search(BEFORE_SCHEDULE, text, position);
  }
  return { bracket, equals: null, end: text.length };
}

// Return the position after the closing bracket, or the end of the text if a bracket or a string is not closed.
function findClosingBracket(text, start) {
  let depth = 1;
  let position = start;
  let match = search(IN_ARGUMENTS, text, position);
  while (depth && match) {
    position = match.index + 1;
    if (match[0] === '"' || match[0] === "'") {
      const string = search(STRING, text, match.index);
      position = string ? match.index + string[0].length : text.length;
    } else {
      depth += "([{".includes(match[0]) ? 1 : -1;
    }
    match = depth ? search(IN_ARGUMENTS, text, position) : null;
  }
  return depth ? text.length : position;
}

// Return the first match of a global or sticky expression from a position, or null.
function search(expression, text, position) {
  expression.lastIndex = position;
  return expression.exec(text);
}

// Return the parts of a job as they are written, without the parentheses of the arguments. A missing part is "".
function splitJob(piece) {
  const [schedule, , queue] = partition(piece.schedule ?? "", "->");
  const written = (piece.arguments ?? "").replace(/^\(|\)$/g, "");
  return { text: piece.text, name: piece.name, arguments: written, schedule: strip(schedule), queue: strip(queue) };
}

function formatJob({ name, arguments: written, schedule, queue }) {
  return `${name}${written && `(${written})`} = ${schedule}${queue && ` -> ${queue}`}`;
}
