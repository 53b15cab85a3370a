"use strict";

// The next runs of the periodic tasks, below their rows.

const NUMBER_OF_RUNS = 5;

// Show the description and the next runs of each valid job in its row.
function showRuns(rows, jobs, timezone, now) {
  rows.forEach((row) => row.details.replaceChildren());
  for (const job of jobs) {
    rows[job.row]?.details.replaceChildren(...describeRuns(job.schedule, timezone, now));
  }
}

function describeRuns(schedule, timezone, now) {
  const words = element("span", { className: "words" }, `Runs ${schedule.words}.`);
  if (schedule.kind === "solar") {
    return [words, " The times are calculated by beat."];
  }
  try {
    const runs = listRuns(schedule, now, timezone, NUMBER_OF_RUNS);
    const title = schedule.kind === "interval" ? " If beat starts now: " : " Next: ";
    const hasSeconds = runs.some((run) => run % MINUTES >= 1000);
    return [words, title, element("ol", {}, ...runs.map((run) => createRun(run, timezone, hasSeconds)))];
  } catch (error) {
    getProblem(error, RangeError);
    return [words, " This browser does not support the time zone."];
  }
}

function createRun(instant, timezone, hasSeconds) {
  const text = formatRun(instant, timezone, hasSeconds);
  return element("li", {}, element("time", { dateTime: new Date(instant).toISOString() }, text));
}

// Return a local time with its offset from UTC, for example "Sat 2026-11-28 03:00 +01:00".
function formatRun(instant, timezone, hasSeconds) {
  const local = new Date(toLocalTime(instant, timezone));
  const [date, time] = local.toISOString().split("T");
  const weekday = TEMPLATE.schedules.weekdayNames[local.getUTCDay()].slice(0, 3);
  const offset = Math.round(getOffset(instant, timezone) / MINUTES);
  const size = Math.abs(offset);
  const sign = offset < 0 ? "-" : "+";
  const clock = time.slice(0, hasSeconds ? "00:00:00".length : "00:00".length);
  return `${weekday} ${date} ${clock} ${sign}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}
