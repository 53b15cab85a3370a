"use strict";

// The fields of the questions. A field is an object with its `root` element and the functions `show(answer)`, which
// displays an answer, and `showErrors(errors)`.

// Create an element with properties, attributes that contain a dash, and children.
function element(tag, properties = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "for" || name === "list") {
      created.setAttribute(name, value);
    } else {
      created[name] = value;
    }
  }
  created.append(...children.filter((child) => child !== null));
  return created;
}

// Return the nodes of a text with `code` in backticks.
function formatText(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

// Return a prompt without the explanation that follows a comma.
function shortenLabel(label) {
  return label.split(",")[0];
}

function createHelp(question) {
  return element("p", { id: `help-${question.name}`, className: "help" }, ...formatText(question.help));
}

function createErrorList(id) {
  return element("ul", { id, className: "errors" });
}

// Replace the messages of a list.
function fillErrorList(list, errors) {
  const messages = [...new Set(errors.map((error) => error.message))];
  list.replaceChildren(...messages.map((message) => element("li", {}, message)));
}

// Return the field of a question. It calls `page.setAnswer(name, answer)`.
function createField(question, page) {
  const editors = {
    queues: (...values) => new QueueTable(...values),
    beat_jobs: (...values) => new JobTable(...values),
    extras: createCheckboxes,
  };
  const kind = typeof question.default === "boolean" ? createSwitch : createInput;
  const create = editors[question.name] ?? (question.choices ? createRadios : kind);
  const field = create(question, page);
  field.root.id = `question-${question.name}`;
  return field;
}

function createInput(question, page) {
  const { name, label } = question;
  const input = element("input", {
    id: name,
    name,
    type: "text",
    spellcheck: false,
    "aria-describedby": `help-${name} errors-${name}`,
  });
  input.addEventListener("input", () => page.setAnswer(name, input.value));
  const list = createErrorList(`errors-${name}`);
  const suggestions = name === "timezone" ? createTimezoneList(input) : null;
  const labelled = element("label", { for: name }, label);
  const root = element("div", { className: "field" }, labelled, input, suggestions, createHelp(question), list);
  return {
    root,
    show(answer) {
      // Assigning an equal value would move the cursor in some browsers.
      if (input.value !== answer) {
        input.value = answer;
      }
    },
    showErrors(errors) {
      input.setAttribute("aria-invalid", String(errors.length > 0));
      fillErrorList(list, errors);
    },
  };
}

function createTimezoneList(input) {
  input.setAttribute("list", "timezones");
  const options = TEMPLATE.timezones.map((zone) => element("option", { value: zone }));
  return element("datalist", { id: "timezones" }, ...options);
}

// A group of radio buttons or checkboxes.
function createGroup(question, type, choices, readAnswer, page) {
  const { name, label } = question;
  const inputs = choices.map((choice) => {
    const input = element("input", { id: `${name}-${choice.name}`, name, type, value: choice.name });
    input.addEventListener("change", () => page.setAnswer(name, readAnswer(inputs)));
    return input;
  });
  const options = choices.map((choice, index) => {
    // A choice such as "3.13" has no further description.
    const description = choice.label === choice.name ? [] : formatText(choice.label);
    const words = element("span", {}, element("strong", {}, choice.name), element("small", {}, ...description));
    return element("label", { className: "option" }, inputs[index], words);
  });
  const list = createErrorList(`errors-${name}`);
  const group = element("div", { className: "options" }, ...options);
  const root = element(
    "fieldset",
    { className: "field", "aria-describedby": list.id },
    element("legend", {}, label),
    group,
    list,
  );
  return { root, inputs, showErrors: (errors) => fillErrorList(list, errors) };
}

function createRadios(question, page) {
  const read = (inputs) => inputs.find((input) => input.checked).value;
  const field = createGroup(question, "radio", question.choices, read, page);
  return {
    ...field,
    show(answer) {
      field.inputs.forEach((input) => (input.checked = input.value === answer));
    },
  };
}

function createCheckboxes(question, page) {
  const read = (inputs) =>
    inputs
      .filter((input) => input.checked)
      .map((input) => input.value)
      .join(", ");
  const field = createGroup(
    { ...question, label: shortenLabel(question.label) },
    "checkbox",
    TEMPLATE.extras,
    read,
    page,
  );
  return {
    ...field,
    show(answer) {
      const names = answer.split(",").map(strip);
      field.inputs.forEach((input) => (input.checked = names.includes(input.value)));
    },
  };
}

function createSwitch(question, page) {
  const { name, label } = question;
  const input = element("input", { id: name, name, type: "checkbox", "aria-describedby": `help-${name}` });
  input.addEventListener("change", () => page.setAnswer(name, input.checked));
  const words = element("span", {}, element("strong", {}, label), element("small", {}, ...formatText(question.help)));
  const root = element("div", { className: "field" }, element("label", { className: "option" }, input, words));
  words.lastChild.id = `help-${name}`;
  return {
    root,
    show(answer) {
      input.checked = answer;
    },
    showErrors() {}, // a checkbox is always a boolean
  };
}
