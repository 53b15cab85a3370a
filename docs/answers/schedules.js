"use strict";

// The parser for schedules: cron expressions, intervals and solar events. The counterpart of
// local_extensions/schedules.py.

// Return the kind of a schedule ("crontab", "interval" or "solar"), its normal form, a description that completes the
// sentence "It runs ...", and the cron or the interval in seconds.
function parseSchedule(text) {
  const words = splitWords(text);
  if (!words.length) {
    throw new ScheduleError("has no schedule after '='");
  }
  if (words[0] === "every") {
    return parseInterval(words.slice(1).join(" "));
  }
  if (words[0] === "solar") {
    return parseSolar(words.slice(1));
  }
  return makeCrontab(parseCron(words[0].startsWith("@") ? splitNickname(strip(text)) : words));
}

function splitNickname(text) {
  const { nicknames } = TEMPLATE.schedules;
  if (!Object.hasOwn(nicknames, text)) {
    const names = Object.keys(nicknames).join(", ");
    throw new ScheduleError(`has an unknown schedule after '@' (choose from ${names})`);
  }
  return splitWords(nicknames[text]);
}

function parseInterval(text) {
  const { units } = TEMPLATE.schedules;
  const match = /^0*([0-9]{1,9}) ?([smhd])$/.exec(text);
  if (!match) {
    throw new ScheduleError("has an invalid interval after 'every'; write a whole number and s, m, h or d");
  }
  const seconds = Number(match[1]) * units[match[2]].seconds;
  if (seconds < 1 || seconds > TEMPLATE.limits.interval) {
    throw new ScheduleError("has an interval out of range (1 second to 365 days)");
  }
  const [letter, unit] = Object.entries(units).find(([, each]) => seconds % each.seconds === 0);
  const count = seconds / unit.seconds;
  const words = count === 1 ? `every ${unit.name}` : `every ${count} ${unit.name}s`;
  return { kind: "interval", text: `every ${count}${letter}`, words, seconds };
}

function parseSolar(words) {
  const { solarEvents } = TEMPLATE.schedules;
  if (words.length !== 3) {
    throw new ScheduleError("has an incomplete solar schedule; write event, latitude and longitude after 'solar'");
  }
  const [event, latitude, longitude] = [words[0], parseDegrees(words[1], 90), parseDegrees(words[2], 180)];
  if (!Object.hasOwn(solarEvents, event)) {
    throw new ScheduleError(`has an unknown solar event (choose from ${Object.keys(solarEvents).join(", ")})`);
  }
  if (latitude === null || longitude === null) {
    throw new ScheduleError("has an invalid latitude (-90 to 90) or longitude (-180 to 180)");
  }
  return {
    kind: "solar",
    text: `solar ${event} ${latitude} ${longitude}`,
    words: `at ${solarEvents[event]} (${latitude}, ${longitude})`,
  };
}

function parseDegrees(text, maximum) {
  if (!/^[+-]?[0-9]{1,3}(\.[0-9]{1,12})?$/.test(text) || Math.abs(Number(text)) > maximum) {
    return null;
  }
  const degrees = Number(text);
  // Python rounds a half to the even number. With four decimal places, only odd multiples of 1/32 are halves.
  const isHalf = Math.abs((32 * degrees) % 2) === 1;
  return isHalf ? (2 * Math.round((degrees * 10_000) / 2)) / 10_000 : Number(degrees.toFixed(4));
}

function makeCrontab(cron) {
  return { kind: "crontab", text: cron.texts.join(" "), words: describeCron(cron), cron };
}

// Return a description of a cron expression, or the expression if the description would be too long.
function describeCron(cron) {
  const maximum = TEMPLATE.limits.descriptionLength;
  const text = cron.texts.join(" ");
  const plain = text.length <= maximum - 10 ? `on cron ${text}` : "on a custom cron schedule";
  const [time, days] = [describeTime(cron), describeDays(cron)];
  if (!time || !days) {
    return plain;
  }
  const often = days === "every day" ? time : `${time}, ${days}`;
  const words = time.startsWith("at ") ? `${days} ${time}` : often;
  return words.length <= maximum ? words : plain;
}

// Return "every 5 minutes" for `*/5`, "every minute" for `*`, and "" if the steps are not equal all day.
function describeStep(text, values, size, unit) {
  if (text === "*") {
    return `every ${unit}`;
  }
  const match = /^\*\/([0-9]+)$/.exec(text);
  if (!match || size % Number(match[1]) || values.length === 1) {
    return "";
  }
  return match[1] === "1" ? `every ${unit}` : `every ${match[1]} ${unit}s`;
}

function describeTime(cron) {
  const [minutes, hours] = [cron.values[MINUTE], cron.values[HOUR]];
  const often = describeStep(cron.texts[MINUTE], minutes, 60, "minute");
  if (!restricts(cron, HOUR) && often) {
    return often;
  }
  if (minutes.length * hours.length <= 4) {
    return `at ${joinWords(hours.flatMap((hour) => minutes.map((minute) => `${pad(hour)}:${pad(minute)}`)))}`;
  }
  const hourly = describeStep(cron.texts[HOUR], hours, 24, "hour");
  if (!hourly || minutes.length > 1) {
    return "";
  }
  return minutes[0] === 0 ? hourly : `${hourly} at minute ${minutes[0]}`;
}

function describeDays(cron) {
  const { monthNames, weekdayNames } = TEMPLATE.schedules;
  const [days, months, weekdays] = [cron.values[DAY], cron.values[MONTH], cron.values[WEEKDAY]];
  const restricted = [DAY, MONTH, WEEKDAY].filter((index) => restricts(cron, index)).join();
  if (restricted === "") {
    return "every day";
  }
  if (restricted === `${WEEKDAY}`) {
    // A week begins on Monday.
    const sorted = [...weekdays].sort((first, second) => (first || 7) - (second || 7));
    return sorted.join() === "1,2,3,4,5"
      ? "Monday to Friday"
      : `every ${joinWords(sorted.map((day) => weekdayNames[day]))}`;
  }
  if (restricted === `${DAY}`) {
    return `on day ${joinWords(days.map(String))} of every month`;
  }
  if (restricted === `${DAY},${MONTH}`) {
    const dates = months.flatMap((month) => days.map((day) => `${day} ${monthNames[month - 1]}`));
    return `every year on ${joinWords(dates)}`;
  }
  return "";
}

function joinWords(words) {
  return words.length === 1 ? words[0] : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function pad(number) {
  return String(number).padStart(2, "0");
}

// Return the next runs after an instant in milliseconds since 1970. beat counts intervals from its start. It calculates
// solar events with a library, so that this list is empty for them.
function listRuns(schedule, after, timezone, count) {
  if (schedule.kind === "interval") {
    return listNumbers(1, count).map((number) => after + number * schedule.seconds * 1000);
  }
  return schedule.kind === "crontab" ? listCronRuns(schedule.cron, after, timezone, count) : [];
}
