"use strict";

// The rules for names that become Python identifiers. The counterpart of local_extensions/names.py.

function slugify(name) {
  const maximum = TEMPLATE.limits.slugLength;
  // Without accents and other characters that are not ASCII.
  const ascii = name.normalize("NFKD").replace(/[^\x00-\x7f]/g, "");
  let words = ascii
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  if (!/^[a-z]/.test(words)) {
    words = `project_${words}`.replace(/_+$/, "");
  }
  words = words.slice(0, maximum).replace(/_+$/, "");
  return findConflict(words) ? `${words.slice(0, maximum - 4)}_app` : words;
}

function findConflict(word) {
  const { slugKeywords, stdlibModules, dependencies, projectFolders } = TEMPLATE.names;
  const rules = [
    [slugKeywords, "is a Python keyword"],
    [stdlibModules, "is a standard library module"],
    [dependencies, "is a dependency of the project"],
    [projectFolders, "is a directory of the project"],
  ];
  return rules.find(([names]) => names.includes(word))?.[1] ?? null;
}

function findSlugProblem(word) {
  const length = countCharacters(word);
  if (!word) {
    return "is empty";
  }
  if (!/^[a-z][a-z0-9_]*$/.test(word)) {
    return `is not a valid package name: ${describeAllowedCharacters(word, "a-z, 0-9 and _")}`;
  }
  if (word.endsWith("_")) {
    return "ends with '_', which distribution and image names do not allow";
  }
  if (length > TEMPLATE.limits.slugLength) {
    return `has ${length} characters; the maximum is ${TEMPLATE.limits.slugLength}`;
  }
  return findConflict(word);
}

function describeAllowedCharacters(word, allowed) {
  return /^[a-z]/.test(word) ? `use only ${allowed}` : `use only ${allowed}, and begin with a letter`;
}

function toIdentifier(name) {
  return name.replaceAll("-", "_");
}

function findNameProblem(name) {
  const length = countCharacters(name);
  const maximum = TEMPLATE.limits.nameLength;
  const allowed = describeAllowedCharacters(name, "a-z, 0-9, - and _");
  const rules = [
    [!name, "has no name"],
    [name.includes(" "), "has a space in its name"],
    [!/^[a-z][a-z0-9_-]*$/.test(name), `has an invalid name: ${allowed}`],
    [/[-_]$/.test(name), "has an invalid name: it must end with a letter or a digit"],
    [length > maximum, `has a name of ${length} characters; the maximum is ${maximum}`],
    [isKeyword(toIdentifier(name)), "has an invalid name: it is a Python keyword"],
  ];
  return rules.find(([broken]) => broken)?.[1] ?? null;
}

function findQueueNameProblem(name) {
  const problem = findNameProblem(name);
  if (problem) {
    return problem;
  }
  if (name.startsWith("celery")) {
    return "has a reserved name: Celery uses names that begin with 'celery'";
  }
  return toIdentifier(name) === "dead_letters" ? "has a reserved name: it is the dead-letter queue" : null;
}

function findJobNameProblem(name) {
  const problem = findNameProblem(name);
  if (problem) {
    return problem;
  }
  if (TEMPLATE.names.taskModuleNames.includes(toIdentifier(name))) {
    return "has a reserved name: task modules use it";
  }
  const isBuiltin = TEMPLATE.names.builtins.includes(toIdentifier(name));
  return isBuiltin ? "has a reserved name: it is a Python built-in" : null;
}

function findParameterNameProblem(name) {
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) {
    return "use only a-z, 0-9 and _, and do not begin with a digit";
  }
  if (TEMPLATE.names.reservedParameterNames.includes(name)) {
    return "it is reserved";
  }
  if (isKeyword(name)) {
    return "it is a Python keyword";
  }
  const maximum = TEMPLATE.limits.nameLength;
  return name.length > maximum ? `the maximum is ${maximum} characters` : null;
}

function isKeyword(name) {
  return TEMPLATE.names.keywords.includes(name);
}
