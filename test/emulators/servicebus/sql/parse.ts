import type { SystemProperty } from "../broker/facets.ts";
import { patternOf } from "./like.ts";
import type { Comparison, Constant, Operand, Predicate, Property } from "./predicate.ts";
import { type Token, tokensOf } from "./tokens.ts";

/** In characters; Azure's limit. It also bounds how deep parentheses can stand. */
const LONGEST_EXPRESSION = 1024;

const KEYWORDS = new Set(["AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "NULL", "EXISTS", "TRUE", "FALSE"]);
const COMPARISONS: readonly string[] = ["=", "<>", "<", "<=", ">", ">="] satisfies Comparison[];

const SYSTEM_PROPERTIES: Readonly<Record<string, SystemProperty>> = {
  contenttype: "contentType",
  correlationid: "correlationId",
  label: "subject",
  messageid: "messageId",
  replyto: "replyTo",
  replytosessionid: "replyToSessionId",
  sessionid: "sessionId",
  to: "to",
};

/**
 * Reads a SQL filter. Of Azure's grammar this is what compares properties with constants and with
 * each other: AND, OR, NOT, parentheses, the six comparisons, IN, LIKE with ESCAPE, IS NULL, EXISTS.
 * Arithmetic, functions and parameters are left out, as are system properties beyond those that a
 * correlation filter knows; whoever uses one is told so.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messaging-sql-filter
 *
 * @throws Error that says what is wrong, or not emulated, and at which character
 */
export function parseFilter(expression: string): Predicate {
  if (expression.length > LONGEST_EXPRESSION) throw new Error(`longer than ${LONGEST_EXPRESSION} characters`);
  const tokens = createReader(tokensOf(expression));
  const predicate = readOr(tokens);
  if (tokens.peek().kind !== "end") throw tokens.unexpected("AND, OR or the end");
  return predicate;
}

type Reader = ReturnType<typeof createReader>;

function createReader(tokens: readonly Token[]) {
  let next = 0;
  const peek = () => tokens[next]!;
  const isKeyword = (word: string) => {
    const token = peek();
    return token.kind === "word" && token.text.toUpperCase() === word;
  };
  const isSign = (sign: string) => {
    const token = peek();
    return token.kind === "sign" && token.text === sign;
  };
  const take = () => {
    const token = peek();
    // The end stays, so that reading past it cannot happen.
    if (token.kind !== "end") next += 1;
    return token;
  };
  const unexpected = (wanted: string) => new Error(`expected ${wanted} ${place(peek())}`);
  const takeIf = (found: boolean) => {
    if (found) take();
    return found;
  };
  return {
    peek,
    take,
    unexpected,
    keyword: (word: string) => takeIf(isKeyword(word)),
    sign: (text: string) => takeIf(isSign(text)),
    need(text: string) {
      if (!takeIf(isSign(text) || isKeyword(text))) throw unexpected(text);
    },
  };
}

function place(token: Token): string {
  return token.kind === "end" ? "at the end" : `at character ${token.at}`;
}

function readOr(tokens: Reader): Predicate {
  let left = readAnd(tokens);
  while (tokens.keyword("OR")) left = { is: "or", left, right: readAnd(tokens) };
  return left;
}

function readAnd(tokens: Reader): Predicate {
  let left = readNot(tokens);
  while (tokens.keyword("AND")) left = { is: "and", left, right: readNot(tokens) };
  return left;
}

function readNot(tokens: Reader): Predicate {
  return tokens.keyword("NOT") ? { is: "not", of: readNot(tokens) } : readCondition(tokens);
}

function readCondition(tokens: Reader): Predicate {
  if (tokens.sign("(")) {
    const predicate = readOr(tokens);
    tokens.need(")");
    return predicate;
  }
  if (tokens.keyword("EXISTS")) return readExists(tokens);
  const operand = readOperand(tokens);
  if (tokens.keyword("IS")) return readIsNull(tokens, operand);
  const negated = tokens.keyword("NOT");
  const test = readTest(tokens, operand, negated);
  return negated ? { is: "not", of: test } : test;
}

function readExists(tokens: Reader): Predicate {
  tokens.need("(");
  const property = readProperty(tokens);
  tokens.need(")");
  // Whether Azure takes an empty system property to exist is not documented.
  if (property.scope === "sys") throw new Error("EXISTS is emulated for user properties only; IS NULL works for both");
  return { is: "existing", property };
}

function readIsNull(tokens: Reader, operand: Operand): Predicate {
  const negated = tokens.keyword("NOT");
  tokens.need("NULL");
  if (!("property" in operand)) throw new Error("IS NULL is about properties, not constants");
  const test: Predicate = { is: "null", property: operand.property };
  return negated ? { is: "not", of: test } : test;
}

function readTest(tokens: Reader, operand: Operand, negated: boolean): Predicate {
  if (tokens.keyword("IN")) return { is: "in", operand, among: readList(tokens) };
  if (tokens.keyword("LIKE")) return { is: "like", operand, pattern: readPattern(tokens) };
  if (negated) throw tokens.unexpected("IN or LIKE");
  const token = tokens.peek();
  if (token.kind !== "sign" || !COMPARISONS.includes(token.text)) throw tokens.unexpected("a comparison");
  tokens.take();
  const right = readOperand(tokens);
  const by = token.text as Comparison;
  for (const side of [operand, right]) checkOrder(by, side);
  return { is: "compared", by, left: operand, right };
}

// C#, whose operators Azure follows, orders numbers only.
function checkOrder(by: Comparison, operand: Operand): void {
  if (by === "=" || by === "<>" || "property" in operand || typeof operand.constant === "number") return;
  throw new Error(`${by} compares numbers only`);
}

function readList(tokens: Reader): Constant[] {
  tokens.need("(");
  const list = [readConstant(tokens)];
  while (tokens.sign(",")) list.push(readConstant(tokens));
  tokens.need(")");
  return list;
}

function readPattern(tokens: Reader) {
  const pattern = readText(tokens);
  return patternOf(pattern, tokens.keyword("ESCAPE") ? readText(tokens) : undefined);
}

function readText(tokens: Reader): string {
  const token = tokens.peek();
  if (token.kind !== "text") throw tokens.unexpected("text in single quotes");
  tokens.take();
  return token.value;
}

function readOperand(tokens: Reader): Operand {
  const constant = readConstantIfAny(tokens);
  const operand = constant === undefined ? { property: readProperty(tokens) } : { constant };
  const after = tokens.peek();
  if (after.kind === "sign" && ["+", "-", "*", "/", "%"].includes(after.text)) {
    throw new Error(`arithmetic is not emulated (${place(after)})`);
  }
  return operand;
}

function readConstant(tokens: Reader): Constant {
  const constant = readConstantIfAny(tokens);
  if (constant === undefined) throw tokens.unexpected("a constant");
  return constant;
}

function readConstantIfAny(tokens: Reader): Constant | undefined {
  const token = tokens.peek();
  if (token.kind === "text" || token.kind === "number") {
    tokens.take();
    return token.value;
  }
  if (tokens.keyword("TRUE")) return true;
  if (tokens.keyword("FALSE")) return false;
  const negative = tokens.sign("-");
  if (!negative && !tokens.sign("+")) return undefined;
  const digits = tokens.peek();
  if (digits.kind !== "number") throw tokens.unexpected("a number");
  tokens.take();
  return negative ? -digits.value : digits.value;
}

function readProperty(tokens: Reader): Property {
  const first = readName(tokens);
  if (tokens.sign("(")) throw new Error(`the function ${first} is not emulated`);
  if (!tokens.sign(".")) return { scope: "user", name: first.toLowerCase() };
  const name = readName(tokens);
  if (first.toLowerCase() === "user") return { scope: "user", name: name.toLowerCase() };
  if (first.toLowerCase() !== "sys") throw new Error(`the scope is sys or user, not ${first}`);
  const lower = name.toLowerCase();
  if (!Object.hasOwn(SYSTEM_PROPERTIES, lower)) throw new Error(`the system property sys.${name} is not emulated`);
  return { scope: "sys", name: SYSTEM_PROPERTIES[lower]! };
}

function readName(tokens: Reader): string {
  const token = tokens.peek();
  if (token.kind === "sign" && token.text === "@") throw new Error("parameters are not emulated");
  if (token.kind !== "name" && (token.kind !== "word" || KEYWORDS.has(token.text.toUpperCase()))) {
    throw tokens.unexpected("a property or a constant");
  }
  tokens.take();
  return token.text;
}
