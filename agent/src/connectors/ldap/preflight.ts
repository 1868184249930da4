/** A look at a directory before anything is pulled: step by step, what works with this login and what each rule comes to. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { readAttributeTypes, readClassTypes } from "./attribute-types.ts";
import { withDirectory } from "./open.ts";
import { findOne } from "./query.ts";
import type { Directory } from "./root-dse.ts";
import type { DirectoryTarget } from "./target.ts";

/** What of a rule can be looked for. */
export interface LookedFor {
  readonly id: string;
  readonly bases: readonly string[];
  readonly classes: "*" | readonly string[];
  readonly attributes: "*" | readonly string[];
}

export interface Finding {
  /** `sign-in`, or a rule's id. */
  readonly what: string;
  readonly status: "ok" | "warn" | "FAIL";
  readonly details: string;
}

/** Signs in once. Never throws for what it finds; the signal's reason for an abort. */
export async function preflight(
  target: DirectoryTarget,
  rules: readonly LookedFor[],
  signal: AbortSignal,
): Promise<Finding[]> {
  try {
    return await withDirectory(target, (directory) => lookAround(directory, rules), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SallyportError)) throw error;
    return [{ what: "sign-in", status: "FAIL", details: `${error.message} (${error.code})` }];
  }
}

async function lookAround(directory: Directory, rules: readonly LookedFor[]): Promise<Finding[]> {
  const { host, domain, clock } = directory.root;
  const skew = clock === undefined ? "" : `, clock ${seconds(clock.theirMs - clock.ourMs)}`;
  const findings: Finding[] = [{ what: "sign-in", status: "ok", details: `${host} of ${domain}${skew}` }];
  for (const rule of rules) findings.push(await lookAtRule(directory, rule));
  return findings;
}

const seconds = (ms: number): string => `${ms < 0 ? "" : "+"}${(ms / 1000).toFixed(1)} s`;

async function lookAtRule(directory: Directory, { id, bases, classes, attributes }: LookedFor): Promise<Finding> {
  const missing: string[] = [];
  for (const base of bases) {
    if (!(await isThere(directory, base))) missing.push(`base ${base}`);
  }
  const classTypes = classes === "*" ? undefined : await readClassTypes(directory, classes);
  for (const name of classes === "*" ? [] : classes)
    if (!classTypes?.has(name.toLowerCase())) missing.push(`class ${name}`);
  const types = attributes === "*" ? undefined : await readAttributeTypes(directory, attributes);
  for (const name of attributes === "*" ? [] : attributes)
    if (!types?.has(name.toLowerCase())) missing.push(`attribute ${name}`);
  if (missing.length === 0)
    return { what: id, status: "ok", details: "its bases are there, and the schema knows every name" };
  return { what: id, status: "warn", details: `not there, or hidden from this login: ${missing.join(", ")}` };
}

async function isThere({ connection }: Directory, base: string): Promise<boolean> {
  try {
    return (await findOne(connection, { base, scope: "base", attributes: ["objectClass"] })) !== undefined;
  } catch (error) {
    if (error instanceof SallyportError && error.code === "directory.not_found") return false;
    throw error;
  }
}
