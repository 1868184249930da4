import { type Constraint, parseConstraint } from "./constraint.ts";

/**
 * Routes of HTTP functions: `orders/{id:int}`, `files/{*path}`, `list/{page?}`.
 * Source: "Routing in ASP.NET Core", route templates; the Functions host uses that router and its order of precedence.
 */

type Literal = { kind: "literal"; text: string };
type Parameter = { kind: "parameter" | "rest"; name: string; optional: boolean; constraints: readonly Constraint[] };

export type Route = { template: string; segments: readonly (Literal | Parameter)[] };

/** Reads a template, without a slash at its ends. Throws an Error that says what is wrong. */
export function parseRoute(template: string): Route {
  const parts = template === "" ? [] : template.split("/");
  const segments = parts.map((part) => parseSegment(part, template));
  const names = new Set<string>();
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === "literal") continue;
    const isLast = index === segments.length - 1;
    if (!isLast && (segment.optional || segment.kind === "rest")) {
      throw new Error(`route "${template}": {${segment.name}} may only come last`);
    }
    if (names.has(segment.name.toLowerCase())) throw new Error(`route "${template}": {${segment.name}} comes twice`);
    names.add(segment.name.toLowerCase());
  }
  return { template, segments };
}

function parseSegment(part: string, template: string): Literal | Parameter {
  if (part === "") throw new Error(`route "${template}" has an empty segment`);
  if (!/[{}]/.test(part)) return { kind: "literal", text: part.toLowerCase() };
  const match = /^\{(\*{0,2})([a-z_][a-z0-9_]*)((?::[^{}]*[^{}?])?)(\??)\}$/i.exec(part);
  if (match === null) throw new Error(`route "${template}": this host does not support "${part}"`);
  const [, stars = "", name = "", constraints = "", mark = ""] = match;
  return {
    kind: stars === "" ? "parameter" : "rest",
    name,
    optional: mark === "?" || stars !== "",
    constraints: splitConstraints(constraints).map(parseConstraint),
  };
}

/** Splits `:int:range(1,5)` at the colons outside parentheses. */
function splitConstraints(text: string): string[] {
  return text.match(/(?<=:)[^:(]+(?:\(.*?\)(?=:|$))?/g) ?? [];
}

/** A request's path as decoded segments. `%2F` stays as it is, and so does what is no valid encoding. */
export function splitPath(path: string): string[] {
  const trimmed = path.replace(/^\//, "").replace(/\/$/, "");
  return trimmed === "" ? [] : trimmed.split("/").map(decodeSegment);
}

function decodeSegment(segment: string): string {
  try {
    return segment
      .split(/(%2f)/i)
      .map((part) => (/^%2f$/i.test(part) ? part : decodeURIComponent(part)))
      .join("");
  } catch {
    return segment;
  }
}

/** The route's parameters for a path, or undefined when it does not match. Literals match in any case. */
export function matchRoute(route: Route, path: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  let position = 0;
  for (const segment of route.segments) {
    if (segment.kind === "literal") {
      if (path[position]?.toLowerCase() !== segment.text) return undefined;
      position += 1;
      continue;
    }
    const value = segment.kind === "rest" ? path.slice(position).join("/") : path[position];
    position = segment.kind === "rest" ? path.length : position + 1;
    if (value === undefined || value === "") {
      if (!segment.optional) return undefined;
    } else if (segment.constraints.every((accepts) => accepts(value))) {
      params[segment.name] = value;
    } else {
      return undefined;
    }
  }
  return position < path.length ? undefined : params;
}

/** Orders routes by precedence, the more specific first: literal, constrained, plain, rest. */
export function compareRoutes(a: Route, b: Route): number {
  const length = Math.min(a.segments.length, b.segments.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(a.segments[index]!) - rank(b.segments[index]!);
    if (difference !== 0) return difference;
  }
  return a.segments.length - b.segments.length;
}

function rank(segment: Literal | Parameter): number {
  if (segment.kind === "literal") return 1;
  const constrained = segment.constraints.length > 0;
  if (segment.kind === "parameter") return constrained ? 2 : 3;
  return constrained ? 4 : 5;
}
