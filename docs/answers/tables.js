"use strict";

// The tables of queues and periodic tasks. An answer is a text in the grammar of the template, and a row is a piece of
// it. Editing a cell replaces the piece. Editing the text replaces the rows.

// A table of the pieces of an answer. A subclass implements:
//   split(text): return the pieces of an answer
//   createRow(piece, index): return `cells`, the `name` of the piece, and optional `details` that are shown below
//   createPiece(name): return a new piece
class PieceTable {
  constructor(question, page, { separator, columns, kind, hint }) {
    const { name, label } = question;
    Object.assign(this, { name, page, separator, columns, kind, caption: shortenLabel(label) });
    this.answer = null;
    this.pieces = [];
    this.rows = [];
    this.table = element("table", { className: `rows ${name}` });
    this.errors = createErrorList(`errors-${name}`);
    this.text = element("textarea", { id: name, name, rows: 4, spellcheck: false, "aria-describedby": this.errors.id });
    this.text.addEventListener("input", () => this.editText());
    this.addButton = element("button", { type: "button" }, `Add a ${kind}`);
    this.addButton.addEventListener("click", () => this.add());
    const asText = element(
      "details",
      { className: "text" },
      element("summary", {}, "Edit or paste as text"),
      element("label", { for: name, className: "hidden" }, label),
      this.text,
      element("p", { className: "help" }, ...formatText(hint)),
    );
    this.root = element("div", { className: "field" }, this.table, this.errors, this.addButton, asText);
  }

  show(answer) {
    if (answer !== this.answer) {
      this.answer = answer;
      this.text.value = answer;
      this.pieces = this.split(answer);
      this.build();
    }
  }

  showErrors(errors) {
    const others = errors.filter((error) => error.row === null || !this.rows[error.row]);
    fillErrorList(this.errors, others);
    this.rows.forEach((row, index) => {
      const found = errors.filter((error) => error.row === index);
      fillErrorList(row.errors, found);
      row.cells.forEach((cell) => cell.setAttribute("aria-invalid", String(found.length > 0)));
    });
  }

  editText() {
    this.answer = this.text.value;
    this.pieces = this.split(this.answer);
    this.build();
    this.page.setAnswer(this.name, this.answer);
  }

  editPiece(index, piece) {
    this.pieces[index] = piece;
    this.savePieces();
  }

  savePieces() {
    this.answer = this.pieces.join(this.separator);
    this.text.value = this.answer;
    this.page.setAnswer(this.name, this.answer);
  }

  replacePieces(pieces) {
    this.pieces = pieces;
    this.build();
    this.savePieces();
  }

  // A separator in a cell makes two pieces: show them as two rows.
  splitPiece(index) {
    const parts = this.split(this.pieces[index]);
    if (parts.length > 1) {
      this.replacePieces([...this.pieces.slice(0, index), ...parts, ...this.pieces.slice(index + 1)]);
    }
  }

  add() {
    const names = this.rows.map((row) => row.name);
    this.replacePieces([...this.pieces, this.createPiece(findFreeName(this.kind.split(" ").at(-1), names))]);
    const [cell] = this.rows.at(-1).cells;
    cell.focus();
    cell.select();
  }

  remove(index) {
    this.replacePieces(this.pieces.filter((_, at) => at !== index));
    const row = this.rows[Math.min(index, this.rows.length - 1)];
    (row ? row.cells[0] : this.addButton).focus();
  }

  build() {
    this.rows = this.pieces.map((piece, index) => this.buildRow(piece, index));
    const header = this.columns.map((column) => element("th", { scope: "col" }, column));
    const actions = element("td"); // the column of the buttons has no name
    this.table.replaceChildren(
      element("caption", {}, this.caption),
      element("thead", {}, element("tr", {}, ...header, actions)),
      ...this.rows.map((row) => row.body),
    );
  }

  buildRow(piece, index) {
    const row = this.createRow(piece, index);
    const errors = createErrorList(`errors-${this.name}-${index}`);
    row.cells.forEach((cell) => cell.setAttribute("aria-describedby", errors.id));
    const label = `Remove ${row.name || this.kind}`;
    const remove = element("button", { type: "button", className: "icon", title: label, "aria-label": label }, "✕");
    remove.addEventListener("click", () => this.remove(index));
    const cells = row.cells.map((cell, at) => element("td", { "data-label": this.columns[at] }, cell));
    const details = element("td", { colSpan: this.columns.length + 1 }, row.details ?? null, errors);
    const body = element(
      "tbody",
      {},
      element("tr", {}, ...cells, element("td", { className: "actions" }, remove)),
      element("tr", { className: "details" }, details),
    );
    body.addEventListener("change", () => this.splitPiece(index));
    return { ...row, body, errors };
  }

  createCell(column, index, value, edit, properties = {}) {
    const label = `${column} of ${this.kind} ${index + 1}`;
    const cell = element("input", { type: "text", value, spellcheck: false, "aria-label": label, ...properties });
    cell.addEventListener("input", edit);
    return cell;
  }

  // A list of choices. A value that is not a choice is added, because a pasted text may be invalid.
  createSelect(column, index, value, choices, edit) {
    const known = choices.some(([each]) => each === value) ? choices : [...choices, [value, value]];
    const options = known.map(([each, words]) => element("option", { value: each, selected: each === value }, words));
    const cell = element("select", { "aria-label": `${column} of ${this.kind} ${index + 1}` }, ...options);
    cell.addEventListener("input", edit);
    return cell;
  }
}

// Return the first of `prefix-1`, `prefix-2`, ... that is not a name.
function findFreeName(prefix, names) {
  const identifiers = names.map(toIdentifier);
  return listNumbers(1, names.length + 1)
    .map((number) => `${prefix}-${number}`)
    .find((name) => !identifiers.includes(toIdentifier(name)));
}

class QueueTable extends PieceTable {
  constructor(question, page) {
    super(question, page, {
      separator: ", ",
      columns: ["Name", "Concurrency", "Pool"],
      kind: "queue",
      hint: "For example `emails:8, thumbnails:auto, webhooks:50@threads`",
    });
  }

  split(text) {
    return strip(text) ? splitQueues(text) : [];
  }

  createPiece(name) {
    return name;
  }

  createRow(piece, index) {
    const parts = splitQueue(piece);
    // The first pool is the default, which need not be written.
    const [first, ...others] = TEMPLATE.pools.map((pool) => [pool.name, `${pool.name} (${pool.label})`]);
    const written = parts.pool === first[0] ? "" : (parts.pool ?? "");
    const edit = () => {
      const changed = { name: name.value, concurrency: concurrency.value || null, pool: pool.value || null };
      this.editPiece(index, formatQueue(changed));
      concurrency.placeholder = findDefaultConcurrency(pool.value);
    };
    const name = this.createCell("Name", index, parts.name, edit);
    const pool = this.createSelect("Pool", index, written, [["", first[1]], ...others], edit);
    const placeholder = findDefaultConcurrency(pool.value);
    const concurrency = this.createCell("Concurrency", index, parts.concurrency ?? "", edit, { placeholder });
    let oldName = parts.name;
    name.addEventListener("change", () => {
      this.page.renameQueue(oldName, name.value);
      oldName = name.value;
    });
    const hint = "The default queue: it receives tasks and jobs without a queue.";
    const details = index ? null : element("p", { className: "help" }, hint);
    return { name: parts.name, cells: [name, concurrency, pool], details };
  }
}

function findDefaultConcurrency(poolName) {
  return (TEMPLATE.pools.find((pool) => pool.name === poolName) ?? TEMPLATE.pools[0]).concurrency;
}

class JobTable extends PieceTable {
  constructor(question, page) {
    super(question, page, {
      separator: "; ",
      columns: ["Name", "Arguments", "Schedule", "Queue"],
      kind: "periodic task",
      hint: "For example `purge(30, dry_run=False) = 0 3 * * * -> reports; health-check = every 10m`, or `none`",
    });
    this.root.append(createScheduleList());
  }

  split(text) {
    return strip(text) === "none" ? [] : splitJobs(text).map((piece) => piece.text);
  }

  createPiece(name) {
    return `${name} = 0 3 * * *`;
  }

  createRow(piece, index) {
    const parts = splitJob(splitJobs(piece)[0]);
    const [first, ...others] = splitQueues(this.page.answers.queues).map((queue) => splitQueue(queue).name);
    const queues = [["", `${first} (default)`], ...others.map((queue) => [queue, queue])];
    const edit = () => {
      const [name, written, schedule, queue] = cells.map((cell) => cell.value);
      this.editPiece(index, formatJob({ name, arguments: written, schedule, queue }));
    };
    const cells = [
      this.createCell("Name", index, parts.name, edit),
      this.createCell("Arguments", index, parts.arguments, edit, { placeholder: "none" }),
      this.createCell("Schedule", index, parts.schedule, edit, { list: "schedules" }),
      this.createSelect("Queue", index, parts.queue === first ? "" : parts.queue, queues, edit),
    ];
    return { name: parts.name, cells, details: element("div", { className: "runs" }) };
  }
}

// The suggestions in the cells of schedules.
function createScheduleList() {
  const options = Object.entries(TEMPLATE.schedules.examples).map(([schedule, words]) =>
    element("option", { value: schedule, label: words }),
  );
  return element("datalist", { id: "schedules" }, ...options);
}
