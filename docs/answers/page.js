"use strict";

// The page: it connects the fields with the parsers and the output.

// The titles of the groups of questions, by the first question of each.
const GROUPS = {
  project_name: "Project",
  framework: "Framework and broker",
  queues: "Queues",
  beat_jobs: "Periodic tasks",
  task_time_limit: "Options",
  ci: "Delivery",
};

class Page {
  constructor() {
    this.given = {};
    this.answers = completeAnswers(this.given);
    this.fields = {};
  }

  start() {
    const form = document.getElementById("form");
    let group = form;
    for (const question of TEMPLATE.questions) {
      if (question.name in GROUPS) {
        group = element("section", { className: "group" }, element("h2", {}, GROUPS[question.name]));
        form.append(group);
      }
      this.fields[question.name] = createField(question, this);
      group.append(this.fields[question.name].root);
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("reset").addEventListener("click", () => this.reset());
    this.connectOutput();
    this.update();
    setInterval(() => this.update(), MINUTES); // the next runs
  }

  setAnswer(name, answer) {
    this.given[name] = answer;
    this.update();
  }

  // Change the queue of the periodic tasks that name a renamed queue.
  renameQueue(before, after) {
    if (!("beat_jobs" in this.given) || !before || findQueueNameProblem(after)) {
      return;
    }
    const rename = (job) => (job.queue === before ? formatJob({ ...job, queue: after }) : job.text);
    this.setAnswer("beat_jobs", splitJobs(this.given.beat_jobs).map(splitJob).map(rename).join("; "));
  }

  reset() {
    this.given = {};
    this.update();
  }

  update() {
    this.answers = completeAnswers(this.given);
    const { errors, queues, jobs } = checkAnswers(this.answers);
    const names = queues.map((queue) => queue.name).join();
    for (const [name, field] of Object.entries(this.fields)) {
      field.show(this.answers[name]);
    }
    if (names !== this.queueNames) {
      this.queueNames = names;
      this.fields.beat_jobs.build(); // its lists of queues
    }
    for (const [name, field] of Object.entries(this.fields)) {
      field.showErrors(errors.found.filter((error) => error.question === name));
    }
    showRuns(this.fields.beat_jobs.rows, jobs, getAnswer(this.answers, "timezone"), Date.now());
    this.showOutput(errors);
  }

  showOutput(errors) {
    const count = errors.lines.length;
    const status = document.getElementById("status");
    status.textContent = count
      ? `The template refuses these answers (${count} ${count === 1 ? "error" : "errors"}):`
      : "The answers are valid.";
    document.getElementById("output").classList.toggle("invalid", count > 0);
    const links = [...new Map(errors.found.map((error) => [error.line, error])).values()];
    document
      .getElementById("errors")
      .replaceChildren(
        ...links.map(({ line, question }) => element("li", {}, element("a", { href: `#question-${question}` }, line))),
      );
    const texts = {
      command: formatCommand(this.answers),
      "replay-command": formatReplayCommand(this.answers),
      "replay-name": nameReplayFile(this.answers),
      replay: formatReplay(this.answers),
    };
    for (const [id, text] of Object.entries(texts)) {
      document.getElementById(id).textContent = text;
    }
    for (const id of ["copy-command", "copy-replay", "download"]) {
      document.getElementById(id).disabled = count > 0;
    }
  }

  connectOutput() {
    connectCopyButton("copy-command", () => formatCommand(this.answers));
    connectCopyButton("copy-replay", () => formatReplay(this.answers));
    document.getElementById("download").addEventListener("click", () => {
      downloadText(nameReplayFile(this.answers), formatReplay(this.answers));
    });
  }
}

function connectCopyButton(id, format) {
  const button = document.getElementById(id);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(format());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed by the browser";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

function downloadText(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  element("a", { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

const page = new Page();
page.start();
