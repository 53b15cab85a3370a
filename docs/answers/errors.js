"use strict";

// Errors in the answers. The counterpart of local_extensions/errors.py.

// The whitespace that Python's str.strip() and str.split() remove; JavaScript's differs.
const WHITESPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SURROUNDING_WHITESPACE = new RegExp(`^[${WHITESPACE}]+|[${WHITESPACE}]+$`, "g");
const WHITESPACE_RUN = new RegExp(`[${WHITESPACE}]+`);

class AnswerErrors {
  constructor() {
    this.found = [];
  }

  // `row` is the index of the queue or job in its answer, if the error is in one.
  add(question, piece, problem, { example = "", row = null } = {}) {
    const message = `${quotePiece(piece)} ${problem}. Example: ${example || TEMPLATE.examples[question]}`;
    this.found.push({ question, row, message, line: `${question}: ${message}` });
  }

  get lines() {
    return [...new Set(this.found.map((error) => error.line))];
  }
}

function quotePiece(piece) {
  const characters = [...piece];
  const maximum = TEMPLATE.limits.pieceLength;
  const cut = characters.length <= maximum ? characters : [...characters.slice(0, maximum - 1), "…"];
  return `'${cut.map(escapeUnprintable).join("")}'`;
}

function escapeUnprintable(character) {
  if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) {
    return character;
  }
  const short = { "\t": "\\t", "\n": "\\n", "\r": "\\r" }[character];
  const code = character.codePointAt(0);
  const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return short ?? `\\${letter}${code.toString(16).padStart(digits, "0")}`;
}

function strip(text) {
  return text.replace(SURROUNDING_WHITESPACE, "");
}

function splitWords(text) {
  return text.split(WHITESPACE_RUN).filter((word) => word);
}

// Return the text before the first separator, whether it was found, and the text after it.
function partition(text, separator) {
  const index = text.indexOf(separator);
  return index < 0 ? [text, false, ""] : [text.slice(0, index), true, text.slice(index + separator.length)];
}

// Python counts code points, JavaScript UTF-16 units.
function countCharacters(text) {
  return [...text].length;
}
