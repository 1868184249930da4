/** Entity paths compare segment by segment and without regard to case, so that `/agents/a1` never covers `/agents/a10`. */

/** The decoded, lower-case segments of a URI path; undefined when an escape is malformed. Empty segments do not count. */
export function pathSegments(path: string): string[] | undefined {
  try {
    return path
      .split("/")
      .filter((segment) => segment !== "")
      .map((segment) => decodeURIComponent(segment).toLowerCase());
  } catch {
    return undefined;
  }
}

/** Whether `path` is `base` or lies below it. */
export function isBelow(path: readonly string[], base: readonly string[]): boolean {
  return base.length <= path.length && base.every((segment, at) => segment === path[at]);
}

/** The parts of a request target that the relay looks at. */
export type Target = {
  readonly rawPath: string;
  readonly segments: readonly string[];
  /** The service's own parameters (`sb-hc-…`), decoded; names in lower case. */
  readonly service: ReadonlyMap<string, string>;
  /** All other parameters as they came, without "?"; they travel on to the listener. */
  readonly rawQuery: string;
};

/**
 * Splits a request target. The query is decoded by percent escapes only: a "+" in an unescaped signature must stay one.
 * Returns undefined when an escape is malformed.
 */
export function parseTarget(url: string): Target | undefined {
  const mark = url.indexOf("?");
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  const segments = pathSegments(rawPath);
  if (!segments) return undefined;
  const service = new Map<string, string>();
  const others: string[] = [];
  for (const pair of mark < 0 ? [] : url.slice(mark + 1).split("&")) {
    const at = pair.indexOf("=");
    const name = (at < 0 ? pair : pair.slice(0, at)).toLowerCase();
    if (!name.startsWith("sb-hc-")) {
      if (pair !== "") others.push(pair);
      continue;
    }
    try {
      service.set(name, at < 0 ? "" : decodeURIComponent(pair.slice(at + 1)));
    } catch {
      return undefined;
    }
  }
  return { rawPath, segments, service, rawQuery: others.join("&") };
}
