"use strict";

// The parser for cron fields, equivalent to `celery.schedules.crontab`, and the next runs. The first part is the
// counterpart of local_extensions/cron.py.

const [MINUTE, HOUR, DAY, MONTH, WEEKDAY] = [0, 1, 2, 3, 4];
const FIELDS = TEMPLATE.cron.fields;
// Python's \w: letters and digits of all scripts.
const WORD = "[\\p{L}\\p{N}_]";
const STEPPED_RANGE = new RegExp(`^(${WORD}+?)-(${WORD}+)/(${WORD}+)?`, "u");
const RANGE = new RegExp(`^(${WORD}+?)-(${WORD}+)`, "u");
const STEPPED_STAR = new RegExp(`^\\*/(${WORD}+)?`, "u");

// An invalid schedule. The message is the predicate of a sentence whose subject is the job.
class ScheduleError extends Error {}

// An invalid part of a field.
class FieldError extends Error {}

// Return the normal form of each field, and the values that each field matches in ascending order.
function parseCron(words) {
  if (words.length !== FIELDS.length) {
    const order = FIELDS.map((field) => field.label).join(", ");
    throw new ScheduleError(`has ${words.length} cron fields instead of ${FIELDS.length} (${order})`);
  }
  const parsed = FIELDS.map((field, index) => parseField(field, words[index]));
  const cron = { texts: parsed.map(({ text }) => text), values: parsed.map(({ values }) => values) };
  if (restricts(cron, DAY) && restricts(cron, WEEKDAY)) {
    const why = "Celery requires both to match, cron only one; use one field, or two jobs";
    throw new ScheduleError(`restricts both day of month and day of week: ${why}`);
  }
  const days = TEMPLATE.cron.daysInMonth;
  if (!cron.values[MONTH].some((month) => cron.values[DAY].some((day) => day <= days[month - 1]))) {
    throw new ScheduleError("never runs: the day does not occur in these months");
  }
  return cron;
}

// Return whether a field excludes any value.
function restricts(cron, index) {
  return cron.values[index].length <= FIELDS[index].maximum - FIELDS[index].minimum;
}

function parseField(field, text) {
  try {
    const parts = text.split(",").map((part) => parsePart(field, part));
    const values = new Set(parts.flatMap((part) => part.values));
    return {
      text: parts.map((part) => part.text).join(","),
      values: [...values].sort((first, second) => first - second),
    };
  } catch (error) {
    getProblem(error, FieldError);
    const span = `${field.minimum}-${field.maximum}`;
    const named = field.names.length ? `, ${field.names[0]}-${field.names.at(-1)}` : "";
    const allowed = `allowed: ${span}${named}, *, */2 and lists`;
    throw new ScheduleError(`has the invalid ${field.label} ${quotePiece(text)} (${allowed})`);
  }
}

// Celery ignores characters after a complete range or step: the expressions match the beginning of the part.
function parsePart(field, part) {
  const stepped = STEPPED_RANGE.exec(part);
  if (stepped) {
    return parseStep(parseRange(field, stepped[1], stepped[2]), stepped[3]);
  }
  const range = RANGE.exec(part);
  if (range) {
    return parseRange(field, range[1], range[2]);
  }
  const all = { text: "*", values: listNumbers(field.minimum, field.maximum) };
  const star = STEPPED_STAR.exec(part);
  if (star) {
    return parseStep(all, star[1]);
  }
  if (part === "*") {
    return all;
  }
  const number = parseNumber(field, part);
  return { text: normalizeNumber(field, number, part), values: [number] };
}

function parseRange(field, first, last) {
  const [start, end] = [parseNumber(field, first), parseNumber(field, last)];
  const values =
    start <= end ? listNumbers(start, end) : [...listNumbers(start, field.maximum), ...listNumbers(field.minimum, end)];
  return { text: `${normalizeNumber(field, start, first)}-${normalizeNumber(field, end, last)}`, values };
}

// A step that is larger than the range selects only the first value.
function parseStep({ text, values }, step) {
  const size = Math.min(parseInteger(step ?? "") ?? 0, values.length);
  if (size < 1) {
    throw new FieldError(step);
  }
  return { text: `${text}/${size}`, values: values.filter((_, index) => index % size === 0) };
}

function parseNumber(field, text) {
  const name = [...text].slice(0, 3).join("").toLowerCase();
  const number = text.startsWith("-") ? -1 : (parseInteger(text) ?? TEMPLATE.cron.numbersByName[name] ?? -1);
  if (!(field.minimum <= number && number <= field.maximum)) {
    throw new FieldError(text);
  }
  return number;
}

// Return the normal form of a value: its name if the text is a name of this field, else its digits.
function normalizeNumber(field, number, text) {
  const name = text.slice(0, 3).toLowerCase();
  return field.names.includes(name) ? name : String(number);
}

// Return the number that Python's int() returns, or null. It accepts digits of all scripts, and single underscores.
function parseInteger(text) {
  if (!/^\+?\p{Nd}+(_\p{Nd}+)*$/u.test(text)) {
    return null;
  }
  return Number([...text.replace(/[+_]/g, "")].map(getDigit).join(""));
}

// Return the value of a digit. The ten digits of a script are adjacent.
function getDigit(character) {
  const code = character.codePointAt(0);
  let zero = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) {
    zero -= 1;
  }
  return (code - zero) % 10;
}

function listNumbers(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

// Next runs, as Celery computes them: each is the first matching local time after the previous one. Local times are
// numbers: milliseconds since 1970 as if the time zone were UTC.

const MINUTES = 60_000;
const DAYS = 24 * 60 * MINUTES;
// 29 February occurs every four years, or eight around 2100.
const MAX_DAYS_BETWEEN_RUNS = 9 * 366;

// Return the next runs after an instant, as instants in milliseconds since 1970.
function listCronRuns(cron, after, timezone, count) {
  const runs = [];
  for (let previous = after; runs.length < count; previous = runs.at(-1)) {
    const local = toLocalTime(previous, timezone);
    // When clocks go back, a local time occurs twice. Jobs run in the first of the two hours, except if beat starts in
    // the second one.
    const second = toInstant(local, timezone, false) !== Math.floor(previous / 1000) * 1000;
    runs.push(toInstant(findNextLocalTime(cron, local), timezone, second));
  }
  return runs;
}

function findNextLocalTime(cron, local) {
  const today = Math.floor(local / DAYS) * DAYS;
  const minuteOfDay = Math.floor((local - today) / MINUTES);
  for (let number = 0; number <= MAX_DAYS_BETWEEN_RUNS; number += 1) {
    const day = today + number * DAYS;
    const minute = matchesDay(cron, new Date(day)) ? findMinute(cron, number ? -1 : minuteOfDay) : null;
    if (minute !== null) {
      return day + minute * MINUTES;
    }
  }
  throw new Error(`no run of ${cron.texts.join(" ")}`);
}

function matchesDay(cron, date) {
  return (
    cron.values[DAY].includes(date.getUTCDate()) &&
    cron.values[MONTH].includes(date.getUTCMonth() + 1) &&
    cron.values[WEEKDAY].includes(date.getUTCDay())
  );
}

// Return the first matching minute of a day after another one, or null.
function findMinute(cron, after) {
  for (const hour of cron.values[HOUR]) {
    const minute = cron.values[MINUTE].find((each) => 60 * hour + each > after);
    if (minute !== undefined) {
      return 60 * hour + minute;
    }
  }
  return null;
}

const FORMATS = new Map();

// Return the format of local times.
// Raises a RangeError if the browser does not support the time zone.
function getFormat(timezone) {
  if (!FORMATS.has(timezone)) {
    const numeric = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" };
    const options = { ...numeric, second: "numeric", hourCycle: "h23", timeZone: timezone };
    FORMATS.set(timezone, new Intl.DateTimeFormat("en-US", options));
  }
  return FORMATS.get(timezone);
}

// Return the local time of an instant in whole seconds.
function toLocalTime(instant, timezone) {
  const parts = getFormat(timezone).formatToParts(instant);
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    parts.map((part) => [part.type, Number(part.value)]),
  );
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

// Return the offset from UTC in milliseconds.
function getOffset(instant, timezone) {
  return toLocalTime(instant, timezone) - Math.floor(instant / 1000) * 1000;
}

// Return the instant of a local time, as Python does (PEP 495). If it occurs twice, `second` chooses the second one. If
// it is skipped, the first one uses the offset before the change, the second one the offset after it.
function toInstant(local, timezone, second) {
  const before = local - getOffset(local - DAYS, timezone);
  const after = local - getOffset(local + DAYS, timezone);
  const occurs = [before, after].filter((instant) => toLocalTime(instant, timezone) === local);
  const candidates = occurs.length === 1 ? [occurs[0], occurs[0]] : [before, after];
  return candidates[second ? 1 : 0];
}
