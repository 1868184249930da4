/** What a check of `sallyport doctor` says, and how checks run: all at once, each with its own few seconds. */

/** A certificate that ends within so many days is a warning. */
export const EXPIRES_SOON_DAYS = 14;

/** Every check, with what it looks at. `docs/checks/<id>.md` says what to do about each. */
export const CHECKS = {
  orchestrator: "the orchestrator's origin answers over HTTPS",
  clock: "this machine's clock and the orchestrator's agree",
  tls: "the certificate of the origin is trusted, by whom, and for how long",
  proxy: "the proxy of agent.yaml opens a tunnel to the origin",
  relay: "the relay's namespace lets a control channel through",
  rendezvous: "the relay's gateways can be reached, where sessions take place",
  token: "the orchestrator knows this agent, and gives it listen tokens",
  policy: "policy.yaml is valid, in force, and allows what it is meant to",
  files: "the agent's files belong to whom they should, and others read none of its keys",
  keys: "the agent's keys are there, and none is older than it should be",
  journal: "no line of the journal was changed, removed, repeated or moved",
  disk: "there is room for the journal",
  connection: "a system of the policy: name, port, server behind it, certificate; no login",
} as const;
export type CheckId = keyof typeof CHECKS;

export interface Verdict {
  readonly status: "ok" | "warn" | "FAIL";
  readonly details: string;
  /** What a person does about it; with every status but ok. */
  readonly advice?: string;
}

export interface Finding extends Verdict {
  readonly check: CheckId;
  readonly component: string;
  readonly target: string;
}

export interface Check {
  readonly id: CheckId;
  readonly component: string;
  readonly target: string;
  /** Ends soon after the signal aborts. What it throws is a failure of the check. */
  look(signal: AbortSignal): Promise<Verdict>;
}

const CHECK_MS = 4_500;

/** In the order of the checks, whichever ends first; whatever a check does, there is a finding of it within its time. */
export const runChecks = (checks: readonly Check[], withinMs: number = CHECK_MS): Promise<Finding[]> =>
  Promise.all(checks.map((check) => run(check, withinMs)));

async function run(check: Check, withinMs: number): Promise<Finding> {
  const { id, component, target } = check;
  const signal = AbortSignal.timeout(withinMs);
  const late = Promise.withResolvers<Verdict>();
  // After those that end by the signal themselves: they know more of what was late.
  signal.addEventListener("abort", () => setImmediate(() => late.resolve(tooLate(withinMs))), { once: true });
  const verdict = await Promise.race([check.look(signal), late.promise]).catch(failed);
  return { check: id, component, target, ...verdict };
}

const tooLate = (ms: number): Verdict => ({
  status: "FAIL",
  details: `no answer within ${ms / 1000} s`,
  advice: "Something on the way swallows what is sent, or this machine is very busy: run it again.",
});

const failed = (thrown: unknown): Verdict => ({
  status: "FAIL",
  details: thrown instanceof Error ? thrown.message : String(thrown),
  advice: "Run it as an account that may read the agent's folder: root, or an administrator.",
});
