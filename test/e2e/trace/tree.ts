/** A trace as a tree of its spans, for people and for assertions. */
import type { CollectedSpan } from "./collector.ts";

export interface Branch {
  readonly span: CollectedSpan;
  readonly below: readonly Branch[];
}

const byStart = (a: CollectedSpan, b: CollectedSpan): number =>
  Number(a.startTimeUnixNano - b.startTimeUnixNano) || Number(b.endTimeUnixNano - a.endTimeUnixNano);

/** The spans without a parent among the others, with what is below them, in the order of their beginnings. */
export function treeOf(spans: readonly CollectedSpan[]): Branch[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const branch = (span: CollectedSpan): Branch => ({
    span,
    below: spans
      .filter(({ parentSpanId }) => parentSpanId === span.spanId)
      .sort(byStart)
      .map(branch),
  });
  return spans
    .filter(({ parentSpanId }) => !parentSpanId || !known.has(parentSpanId))
    .sort(byStart)
    .map(branch);
}

/** One line a span: when it began after the first, how long it took, and its facts without the run's own. */
export function printed(roots: readonly Branch[]): string {
  const firstNs = roots[0]?.span.startTimeUnixNano ?? 0n;
  const lines: string[] = [];
  const print = ({ span, below }: Branch, depth: number): void => {
    const { name, startTimeUnixNano: start, endTimeUnixNano: end, status, attributes } = span;
    const facts = Object.entries(attributes)
      .filter(([key]) => !/^sallyport\.(tenant|pull|run|request|agent)$/.test(key))
      .map(([key, value]) => `${key.replace(/^sallyport\./, "")}=${value}`);
    const ms = (ns: bigint): string => (Number(ns) / 1e6).toFixed(1).padStart(8);
    const what = [name, status.code === 2 ? "(failed)" : "", ...facts].filter((part) => part !== "").join(" ");
    lines.push(`${ms(start - firstNs)} ms ${ms(end - start)} ms  ${"  ".repeat(depth)}${what}`);
    for (const each of below) print(each, depth + 1);
  };
  for (const root of roots) print(root, 0);
  return lines.join("\n");
}

/** Every way from a root to a span, as names: `schedule > slices > session`. */
export function pathsOf(roots: readonly Branch[], above: readonly string[] = []): string[] {
  return roots.flatMap(({ span, below }) => {
    const path = [...above, span.name];
    return [path.join(" > "), ...pathsOf(below, path)];
  });
}
