/** From the text of a policy file to a policy, or to every mistake in it with its path and line. */
import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { readStrictYaml, type StrictYaml, YamlError, type YamlProblem } from "@sallyport/shared/strict-yaml.ts";
import { policyNotes } from "./notes.ts";
import { readPolicyValue } from "./value.ts";

/** More than this is one mistake with many consequences. */
const MAX_PROBLEMS = 100;

/**
 * Reads a policy file: YAML 1.2 without anchors, aliases, tags or duplicate keys, at most 256 KiB, nothing unknown in it.
 * @param now for the rules whose `until` may not be far away.
 * @throws SallyportError `policy.invalid`; `detail.problems` has one line for each mistake.
 */
export const parsePolicy = (text: string, now: Date = new Date()): Policy => read(text, now).policy;

/** The policy, and the plain value that it was read from. @throws as `parsePolicy`. */
export function openPolicy(text: string, now: Date): { readonly policy: Policy; readonly value: unknown } {
  const { policy, file } = read(text, now);
  return { policy, value: file.value };
}

/** The policy, and what its owner should hear of it besides; in the order of the file. @throws as `parsePolicy`. */
export function checkPolicy(
  text: string,
  now: Date,
): { readonly policy: Policy; readonly notes: readonly YamlProblem[] } {
  const { policy: parsed, file } = read(text, now);
  const notes = policyNotes(parsed, now).map(({ path, message }) => file.problemAt(path, message));
  return { policy: parsed, notes: [...notes].sort((a, b) => a.line - b.line) };
}

function read(text: string, now: Date): { readonly policy: Policy; readonly file: StrictYaml } {
  const file = readFile(text);
  const found = readPolicyValue(file.value, now);
  if ("policy" in found) return { policy: found.policy, file };
  return fail(found.mistakes.map(({ path, message }) => file.problemAt(path, message)));
}

/** SHA-256 of the file's bytes, base64url: what the hello and the journal call the policy. */
export function digestPolicy(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("base64url");
}

function readFile(text: string): StrictYaml {
  try {
    return readStrictYaml(text);
  } catch (error) {
    if (error instanceof YamlError) return fail(error.problems);
    throw error;
  }
}

function fail(problems: readonly YamlProblem[]): never {
  const sorted = [...problems].sort((a, b) => a.line - b.line).slice(0, MAX_PROBLEMS);
  const texts = sorted.map(({ line, path, message }) => `line ${line}${path === "" ? "" : `, ${path}`}: ${message}`);
  throw new SallyportError("policy.invalid", `The policy has ${texts.length} mistake(s):\n${texts.join("\n")}`, {
    problems: texts,
  });
}
