/** Where the site's mask key goes: into the hello by its id, and to an executor whose request falls under a rule that hashes. */
import type { Masks } from "@sallyport/shared/schema/mask.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import type { Logger } from "pino";
import type { JournalFacts } from "../journal/line.ts";
import { ensureMaskKey, type MaskKey, readMaskKey } from "../mask-key.ts";
import { findConnection } from "../policy/find-connection.ts";
import type { StatePaths } from "../state.ts";
import type { Usage } from "./login-breaker.ts";

const hashes = (rule: object): boolean =>
  "mask" in rule && Object.values((rule.mask as Masks | undefined) ?? {}).includes("hash");

/** Whether any rule of the policy masks with `hash`. */
const needsMaskKey = (policy: Policy): boolean =>
  Object.values(policy.connections).some(({ rules }) => rules.some(hashes));

/** Whether this rule of a connection does. */
export const ruleHashes = (policy: Policy, connection: string | undefined, ruleId: string | undefined): boolean => {
  const rules = connection === undefined ? undefined : findConnection(policy, connection)?.rules;
  const rule = rules?.find(({ id }) => id === ruleId);
  return rule !== undefined && hashes(rule);
};

/**
 * Gives the site's mask key as it is now, for one session; made at the first policy that needs one. Undefined where there is
 * none, and where it cannot be read: that is told in the log, and requests that need it are refused with `agent.mask_key`.
 * The journal names each key at its first use: the command line imports one in a process of its own.
 * @param state remembers across restarts which one was named; `store` keeps it
 */
export function createMaskKeySource(
  paths: Pick<StatePaths, "maskKey">,
  state: Pick<Usage, "maskKey">,
  store: () => void,
  note: (facts: JournalFacts) => void,
  log: Logger,
): (policy: Policy) => MaskKey | undefined {
  const name = (kid: string): void => {
    if (kid === state.maskKey) return;
    note({ event: "rotate", key: "mask", kid });
    state.maskKey = kid;
    store();
  };
  return (policy) => {
    try {
      const key = needsMaskKey(policy) ? ensureMaskKey(paths) : readMaskKey(paths);
      if (key !== undefined) name(key.id);
      return key;
    } catch (error) {
      log.error({ why: (error as Error).message }, "the mask key cannot be used: what has to be hashed is refused");
      return undefined;
    }
  };
}
