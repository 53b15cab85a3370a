"use strict";

// The parser for `queues`: `name[:concurrency][@pool]`, separated by commas. The counterpart of
// local_extensions/queues.py.

function getLastQueue(text) {
  const last = text.slice(text.lastIndexOf(",") + 1);
  return strip(last.split(/[:@]/)[0]);
}

// Return the queues by module name. Invalid queues are included: a job that refers to one is not a second error.
function parseQueues(text, errors) {
  const queues = new Map();
  if (!strip(text)) {
    errors.add("queues", text, "is empty; define at least one queue");
    return queues;
  }
  const pieces = splitQueues(text);
  const maximum = TEMPLATE.limits.queues;
  if (pieces.length > maximum) {
    errors.add("queues", text, `has ${pieces.length} queues; the maximum is ${maximum}`);
  }
  for (const [row, piece] of pieces.slice(0, maximum).entries()) {
    if (!piece) {
      errors.add("queues", text, "has an empty item; remove the extra comma", { row });
      continue;
    }
    const queue = parseQueue(piece, row, errors);
    const first = queues.get(queue.module);
    if (first) {
      errors.add("queues", piece, describeDuplicate(queue.name, first.name), { row });
    } else {
      queues.set(queue.module, queue);
    }
  }
  return queues;
}

function splitQueues(text) {
  return text.split(",").map(strip);
}

function describeDuplicate(name, first) {
  return name === first
    ? "is defined twice"
    : `is defined twice: '-' and '_' are equivalent, and ${quotePiece(first)} is already defined`;
}

// Return the parts of a queue as they are written. A missing part is null.
function splitQueue(piece) {
  const [head, at, pool] = partition(piece, "@");
  const [name, colon, concurrency] = partition(head, ":");
  return { name: strip(name), concurrency: colon ? strip(concurrency) : null, pool: at ? strip(pool) : null };
}

function parseQueue(piece, row, errors) {
  const parts = splitQueue(piece);
  const problem = findQueueNameProblem(parts.name);
  if (problem) {
    errors.add("queues", piece, problem, { row });
  }
  const pools = TEMPLATE.pools;
  let pool = parts.pool === null ? pools[0] : pools.find((each) => each.name === parts.pool);
  if (!pool) {
    const names = pools.map((each) => each.name).join(", ");
    errors.add("queues", piece, `has an unknown pool after '@' (choose from ${names})`, { row });
    pool = pools[0];
  }
  const maximum = TEMPLATE.limits.concurrency;
  const number = (parts.concurrency ?? "").replace(/^0+/, "");
  let concurrency = parts.concurrency;
  if (concurrency === null) {
    concurrency = pool.concurrency;
  } else if (/^[0-9]{1,4}$/.test(number) && Number(number) <= maximum) {
    concurrency = number;
  } else if (concurrency !== "auto") {
    errors.add("queues", piece, `has an invalid concurrency after ':' (1 to ${maximum}, or auto)`, { row });
  }
  return { name: parts.name, module: toIdentifier(parts.name), concurrency, pool: pool.name };
}

function formatQueue({ name, concurrency, pool }) {
  return [name, concurrency === null ? "" : `:${concurrency}`, pool === null ? "" : `@${pool}`].join("");
}
