"use strict";

// The parser for the arguments of a beat job: Python literals that JSON can represent. The counterpart of
// local_extensions/arguments.py.
//
// Python's parser accepts all expressions, of which the template refuses those that are not literals. This parser reads
// literals, and skips other expressions and refuses them. It differs from the template in two points: it refuses the
// names of Unicode characters ("\N{EM DASH}"), and for an expression that is not a literal it may report another error.

const INVALID_SYNTAX = "has invalid Python syntax in its arguments";
const NOT_LITERALS = "has arguments that are not Python literals";

// An invalid argument. The message is the predicate of a sentence whose subject is the job.
class ArgumentError extends Error {}

// Return the arguments of a list in parentheses, for example `(30, dry_run=False)`: pairs of a name and a value. The
// name of a positional argument is "". Integers are BigInt, dicts are Map.
function parseArguments(text) {
  const { positional, named } = new ArgumentParser(text).parse();
  const values = positional.map((node) => ["", evaluate(node)]);
  const pairs = new Map(named.map(([name, node]) => [name, evaluate(node)]));
  for (const name of pairs.keys()) {
    if (name === "**") {
      throw new ArgumentError("has arguments unpacked with '**'; write each one as name=value");
    }
    const problem = findParameterNameProblem(name);
    if (problem) {
      throw new ArgumentError(`has the invalid argument name ${quotePiece(name)}: ${problem}`);
    }
  }
  if (pairs.size < named.length) {
    throw new ArgumentError("has a duplicate keyword argument");
  }
  return [...values, ...pairs];
}

// Return the value of a node: a string, BigInt, number, boolean, null, array or Map.
function evaluate(node, depth = 0) {
  switch (node.kind) {
    case "list":
    case "dict":
      if (depth === TEMPLATE.limits.depth) {
        throw new ArgumentError(`has lists or dicts nested more than ${depth} levels deep`);
      }
      return node.kind === "list" ? node.items.map((item) => evaluate(item, depth + 1)) : evaluateDict(node, depth + 1);
    case "signed":
      return evaluateSigned(node);
    case "constant":
      return checkScalar(node);
    case "tuple or set":
      throw new ArgumentError("has a tuple or a set, which JSON does not support; use a list");
    case "name":
      throw new ArgumentError(`has the name ${quotePiece(node.name)}, which is not a literal; put strings in quotes`);
    default:
      throw new ArgumentError(NOT_LITERALS);
  }
}

function evaluateDict(node, depth) {
  const keys = node.items.map(([key]) => (key === null ? null : evaluate(key, depth)));
  if (keys.some((key) => typeof key !== "string")) {
    throw new ArgumentError("has a dict key that is not a string, which JSON does not support");
  }
  if (new Set(keys).size < keys.length) {
    throw new ArgumentError("has a dict with a duplicate key");
  }
  return new Map(node.items.map(([, item], index) => [keys[index], evaluate(item, depth)]));
}

function evaluateSigned({ sign, operand }) {
  if (operand.kind !== "constant" || !["bigint", "number"].includes(typeof operand.value)) {
    throw new ArgumentError(NOT_LITERALS);
  }
  return checkScalar({ ...operand, value: sign === "-" ? -operand.value : operand.value });
}

function checkScalar({ value, type, hasSurrogate }) {
  if (type) {
    throw new ArgumentError(`has a value of type ${type}, which JSON does not support`);
  }
  const maximum = BigInt(TEMPLATE.limits.integer);
  const isInRange = typeof value === "bigint" ? -maximum <= value && value <= maximum : Number.isFinite(value);
  if (["bigint", "number"].includes(typeof value) && !isInRange) {
    throw new ArgumentError("has a number that is out of range");
  }
  if (hasSurrogate) {
    throw new ArgumentError("has a string with a lone surrogate");
  }
  return value;
}

// Tokens of Python. Each expression matches at one position.
const SPACE = /(?:[ \t\f\r\n]|\\(?:\r\n|[\r\n])|#[^\r\n]*)+/uy;
const STRING_START = /([A-Za-z]{0,2})("""|'''|"|')/uy;
const DIGITS = "\\d(?:_?\\d)*";
const EXPONENT = `(?:[eE][+-]?${DIGITS})`;
const DECIMAL = `(?:${DIGITS})?\\.${DIGITS}${EXPONENT}?|${DIGITS}\\.?${EXPONENT}?`;
const BASED = "0[xX](?:_?[\\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+";
const NUMBER = new RegExp(`(?:${BASED}|(${DECIMAL})([jJ]?))(?!\\p{XID_Continue})`, "uy");
const NAME = /[\p{XID_Start}_]\p{XID_Continue}*/uy;
const OPERATOR = /\.\.\.|\*\*=?|\/\/=?|<<=?|>>=?|->|:=|[=!<>+\-*/%&|^@]=|[-+*/%@&|^~<>=.,:()[\]{}]/uy;

const CLOSING = { "(": ")", "[": "]", "{": "}" };
const CONSTANTS = { True: true, False: false, None: null };
// The tokens that continue an expression after an operand, and the keywords that begin one.
const CONTINUING = "** // << >> == != <= >= + - * / % @ & | ^ < > . ( [ := if for async and or in is not".split(" ");
const BEGINNING = ["not", "lambda", "await", "yield"];
// Python's tokenizer refuses deeper nesting.
const MAX_BRACKETS = 200;

function tokenize(text) {
  if (/\0|[\ud800-\udfff]/u.test(text)) {
    throw new ArgumentError(INVALID_SYNTAX);
  }
  const tokens = [];
  let position = 0;
  const take = (expression) => {
    const match = search(expression, text, position);
    position += match ? match[0].length : 0;
    return match;
  };
  while (position < text.length) {
    if (take(SPACE)) {
      continue;
    }
    const start = take(STRING_START);
    const number = start ? null : take(NUMBER);
    const name = start || number ? null : take(NAME);
    if (start) {
      const { token, end } = readString(text, position, start[1].toLowerCase(), start[2]);
      tokens.push(token);
      position = end;
    } else if (number) {
      tokens.push(readNumber(number));
    } else if (name) {
      tokens.push({ kind: "name", text: name[0] });
    } else {
      const operator = take(OPERATOR);
      if (!operator) {
        throw new ArgumentError(INVALID_SYNTAX);
      }
      tokens.push({ kind: "operator", text: operator[0] });
    }
  }
  return tokens;
}

function readNumber(match) {
  const digits = match[0].replaceAll("_", "");
  if (match[2]) {
    return { kind: "constant", type: "complex" };
  }
  if (match[1] && /[.eE]/.test(digits)) {
    return { kind: "constant", value: Number(digits) };
  }
  // Decimal integers other than 0 have no leading zeros.
  if (match[1] && /^0+[1-9]/.test(digits)) {
    throw new ArgumentError(INVALID_SYNTAX);
  }
  return { kind: "constant", value: BigInt(digits) };
}

// Return the token of a string, and the position after its closing quote.
function readString(text, start, prefix, quote) {
  if (!["", "r", "u", "b", "br", "rb", "f", "fr", "rf"].includes(prefix)) {
    throw new ArgumentError(INVALID_SYNTAX);
  }
  const isRaw = prefix.includes("r");
  const token = { kind: "constant", value: "", isString: true };
  let position = start;
  while (!text.startsWith(quote, position)) {
    const escape = isRaw ? null : search(ESCAPE, text, position);
    // Line ends in source code are always \n.
    const plain = search(isRaw ? RAW_CHARACTER : CHARACTER, text, position);
    const isLineEnd = plain && /^[\r\n]/.test(plain[0]);
    if (!(escape ?? plain) || (isLineEnd && quote.length === 1)) {
      throw new ArgumentError(INVALID_SYNTAX);
    }
    const code = escape ? decodeEscape(escape) : null;
    token.hasSurrogate ||= code >= 0xd800 && code <= 0xdfff;
    token.value += escape ? encodeCharacter(code) : plain[0].replace(/\r\n?/g, "\n");
    position += (escape ?? plain)[0].length;
  }
  if (prefix.includes("b")) {
    token.type = "bytes";
  } else if (prefix.includes("f")) {
    token.kind = "other";
  }
  return { token, end: position + quote.length };
}

const CHARACTER = /\r\n|[^\\]/uy;
const RAW_CHARACTER = /\\(?:\r\n|[^])|\r\n|[^\\]/uy;
const HEXADECIMAL = "x([\\da-fA-F]{2})|u([\\da-fA-F]{4})|U([\\da-fA-F]{8})";
const ESCAPE = new RegExp(
  `\\\\(?:(\\r\\n|[\\r\\n])|([\\\\'"abfnrtv])|([0-7]{1,3})|${HEXADECIMAL}|(?=[^\\0-\\x7f]))`,
  "uy",
);
const ESCAPED_CODES = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };

// Return the code point of an escape sequence, or null for an escaped line end.
function decodeEscape([, lineEnd, character, octal, ...hexadecimal]) {
  if (lineEnd) {
    return null;
  }
  if (character) {
    return ESCAPED_CODES[character] ?? character.codePointAt(0);
  }
  const digits = hexadecimal.find(Boolean);
  if (!octal && !digits) {
    return 0x5c; // Python keeps a backslash before a character that is not ASCII
  }
  const code = octal ? parseInt(octal, 8) : parseInt(digits, 16);
  if (code > 0x10ffff || (octal && code > 0o377)) {
    throw new ArgumentError(INVALID_SYNTAX);
  }
  return code;
}

function encodeCharacter(code) {
  return code === null ? "" : String.fromCodePoint(code);
}

// A parser for the tokens of an argument list. It returns nodes with a `kind`: "constant", "list", "dict", "tuple or
// set", "signed", "name" and, for all other expressions, "other".
class ArgumentParser {
  constructor(text) {
    this.tokens = tokenize(text);
    this.position = 0;
    this.depth = 0;
  }

  parse() {
    const found = { positional: [], named: [], hasUnpacked: false, isInvalid: false };
    this.expect("(");
    this.parseSequence(")", () => this.parseArgument(found));
    // For example `(1)(2)` or `(1) + 2`.
    const other = this.skipOther();
    if (this.token || found.isInvalid) {
      throw new ArgumentError(INVALID_SYNTAX);
    }
    return other ? { positional: [other], named: [] } : found;
  }

  get token() {
    return this.tokens[this.position];
  }

  // Return whether the next token is an operator or a keyword with this text.
  is(...texts) {
    return this.token !== undefined && this.token.kind !== "constant" && texts.includes(this.token.text);
  }

  accept(...texts) {
    const accepted = this.is(...texts);
    this.position += accepted ? 1 : 0;
    return accepted;
  }

  expect(text) {
    if (!this.accept(text)) {
      throw new ArgumentError(INVALID_SYNTAX);
    }
  }

  // Parse items up to a closing bracket. Return whether a comma follows the last one.
  parseSequence(closing, parseItem) {
    this.depth += 1;
    if (this.depth > MAX_BRACKETS) {
      throw new ArgumentError(INVALID_SYNTAX);
    }
    let hasComma = false;
    while (!this.accept(closing)) {
      parseItem();
      hasComma = this.accept(",");
      if (!hasComma && !this.is(closing)) {
        throw new ArgumentError(INVALID_SYNTAX);
      }
    }
    this.depth -= 1;
    return hasComma;
  }

  parseArgument(found) {
    if (this.accept("**")) {
      found.named.push(["**", this.parseExpression()]);
      found.hasUnpacked = true;
      return;
    }
    const isUnpacked = this.accept("*");
    const next = this.tokens[this.position + 1];
    if (!isUnpacked && this.token?.kind === "name" && next?.kind === "operator" && next.text === "=") {
      const name = this.parseName();
      this.expect("=");
      found.named.push([name, this.parseExpression()]);
      return;
    }
    // Positional arguments precede keyword arguments, except unpacked ones.
    if (isUnpacked ? found.hasUnpacked : found.named.length) {
      found.isInvalid = true;
    }
    const node = this.parseExpression();
    found.positional.push(isUnpacked ? { kind: "other" } : node);
  }

  parseName() {
    const name = this.token.text;
    if (isKeyword(name)) {
      throw new ArgumentError(INVALID_SYNTAX);
    }
    this.position += 1;
    return name.normalize("NFKC");
  }

  parseExpression() {
    const node = this.parseOperand();
    return this.skipOther() ?? node;
  }

  parseOperand() {
    const { token } = this;
    if (this.accept("(")) {
      return this.parseParentheses();
    }
    if (this.accept("[")) {
      const items = [];
      this.parseSequence("]", () => items.push(this.parseItem()));
      return { kind: "list", items };
    }
    if (this.accept("{")) {
      return this.parseBraces();
    }
    if (this.accept("-", "+")) {
      return { kind: "signed", sign: token.text, operand: this.parseOperand() };
    }
    if (this.accept("~") || this.accept(...BEGINNING)) {
      this.skipExpression();
      return { kind: "other" };
    }
    if (this.accept("...")) {
      return { kind: "constant", type: "ellipsis" };
    }
    if (token?.kind === "name") {
      return this.parseConstantOrName();
    }
    if (token?.kind === "constant" || token?.kind === "other") {
      this.position += 1;
      return token.isString ? this.joinStrings(token) : token;
    }
    throw new ArgumentError(INVALID_SYNTAX);
  }

  parseConstantOrName() {
    const { text } = this.token;
    if (Object.hasOwn(CONSTANTS, text)) {
      this.position += 1;
      return { kind: "constant", value: CONSTANTS[text] };
    }
    return { kind: "name", name: this.parseName() };
  }

  // Adjacent strings are one string.
  joinStrings(first) {
    let joined = first;
    while (this.token?.isString) {
      const { token } = this;
      if ((joined.type === "bytes") !== (token.type === "bytes")) {
        throw new ArgumentError(INVALID_SYNTAX);
      }
      joined = {
        ...joined,
        kind: [joined.kind, token.kind].includes("other") ? "other" : "constant",
        value: joined.value + token.value,
        hasSurrogate: joined.hasSurrogate || token.hasSurrogate,
      };
      this.position += 1;
    }
    return joined;
  }

  // An expression in parentheses, or a tuple.
  parseParentheses() {
    const items = [];
    const hasComma = this.parseSequence(")", () => items.push(this.parseItem()));
    return items.length === 1 && !hasComma ? items[0] : { kind: "tuple or set" };
  }

  // An item of a list, tuple or set.
  parseItem() {
    const isUnpacked = this.accept("*");
    const node = this.parseExpression();
    return isUnpacked ? { kind: "other" } : node;
  }

  // A dict or a set.
  parseBraces() {
    const items = [];
    let isSet = false;
    this.parseSequence("}", () => {
      if (this.accept("**")) {
        items.push([null, this.parseExpression()]);
        return;
      }
      const key = this.parseItem();
      if (this.accept(":")) {
        items.push([key, this.parseExpression()]);
      } else {
        items.push([key, key]);
        isSet = true;
      }
    });
    if (items.flat().some((node) => node?.isComprehension)) {
      return { kind: "other" };
    }
    return isSet ? { kind: "tuple or set" } : { kind: "dict", items };
  }

  // If the next token continues an expression, skip the rest of it and return its node, else null.
  skipOther() {
    if (!this.is(...CONTINUING)) {
      return null;
    }
    const isComprehension = this.is("for", "async");
    this.skipExpression();
    return { kind: "other", isComprehension };
  }

  // Skip tokens up to a comma or a closing bracket of the surrounding sequence.
  skipExpression() {
    const open = [];
    while (this.token && (open.length || !this.is(",", ")", "]", "}"))) {
      const { token } = this;
      if (token.kind === "operator" && Object.hasOwn(CLOSING, token.text)) {
        open.push(CLOSING[token.text]);
      } else if (this.is(")", "]", "}") && token.text !== open.pop()) {
        throw new ArgumentError(INVALID_SYNTAX);
      }
      this.position += 1;
    }
  }
}
