/** From the plain value of a policy file to a policy, or to every mistake in it with its path. Knows nothing of YAML. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Policy, policy } from "@sallyport/shared/schema/policy.ts";
import { type Conflict, conflicts } from "./conflicts.ts";

/** Nothing unknown may be in it. @param now for the rules whose `until` may not be far away. */
export function readPolicyValue(
  value: unknown,
  now: Date,
): { readonly policy: Policy; readonly mistakes: readonly [] } | { readonly mistakes: readonly Conflict[] } {
  const result = policy.safeParse(value);
  const mistakes: Conflict[] = [];
  for (const issue of result.error?.issues ?? []) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) mistakes.push({ path: [...issue.path, key], message: "unknown key" });
    } else {
      const message = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
      mistakes.push({ path: issue.path, message });
    }
  }
  mistakes.push(...conflicts(value, now));
  return result.success && mistakes.length === 0 ? { policy: result.data, mistakes: [] } : { mistakes };
}

/** The policy as the supervisor hands it on, which has read the file. @throws SallyportError `policy.invalid` */
export function policyFrom(value: unknown, now: Date): Policy {
  const read = readPolicyValue(value, now);
  if ("policy" in read) return read.policy;
  throw new SallyportError("policy.invalid", `The policy has ${read.mistakes.length} mistake(s) by now.`);
}
