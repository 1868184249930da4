/** The agent's long-lived process: composes the parts, runs until it is told to stop, drains. */
import { join } from "node:path";
import type { AgentState } from "@sallyport/shared/schema/liveness.ts";
import type { Logger } from "pino";
import { type Clock, systemClock, within } from "../clock.ts";
import type { AgentConfig } from "../config.ts";
import { refuseOpenKeys } from "../key-files.ts";
import { loadUnsealKey } from "../keys.ts";
import { loadNetwork } from "../origin.ts";
import { programFiles } from "../program.ts";
import { makeFolders, readPinned, type StatePaths, statePaths, writePinned } from "../state.ts";
import { VERSION } from "../version.ts";
import { type Accepts, createAccepts } from "./accepts.ts";
import { createAdmission, createConnectionBudgets } from "./budgets.ts";
import { openHycoSocket } from "./channel-hyco.ts";
import { openWsSocket } from "./channel-ws.ts";
import { createExecutorPool } from "./executors.ts";
import { holdState } from "./hold.ts";
import { createIdentityKeeper } from "./identity.ts";
import { machineName, openJournaling } from "./journaling.ts";
import { createListener } from "./listener.ts";
import { createLiveness } from "./liveness.ts";
import { isSet, watchFlag } from "./lock.ts";
import { createLoginBreaker } from "./login-breaker.ts";
import { createMaskKeySource } from "./masking.ts";
import { createOutgrown } from "./outgrown.ts";
import { createPolicySource, type PolicySnapshot } from "./policy-source.ts";
import { createReject } from "./reject.ts";
import { runSession } from "./session.ts";
import type { SessionDeps } from "./session-deps.ts";
import { startSignInChild } from "./sign-in-child.ts";
import {
  checkFiles,
  endOrphans,
  loadUsage,
  readPastDay,
  requirePinned,
  sessionsPerMinute,
  storeUsage,
  whyUntrusted,
} from "./startup.ts";
import { type AgentStatus, keepStatus, writeStatus } from "./status.ts";
import { createStatusView } from "./status-view.ts";
import { createTokenKeeper } from "./token-keeper.ts";
import { requestHealth, requestToken } from "./tokens.ts";
import { openUpdateWatch } from "./updates.ts";

const WARM_EXECUTORS = 2;
/** After `drainSeconds`: how long sessions that were told to stop may take to say so. */
const STOP_WITHIN_MS = 10_000;

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly insecureFiles: boolean;
  /** Systemd's folder of this service's credentials (`$CREDENTIALS_DIRECTORY`). */
  readonly credentials?: string | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
}

/**
 * Serves until `signal`, then drains. Answers `unreached` when it stopped by itself, because nothing that the orchestrator
 * sends arrives any more.
 * @throws ConfigError, policy.invalid, agent.journal_unwritable, NotNowError before anything was contacted.
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<"stopped" | "unreached"> {
  const paths = statePaths(options.config.stateDir);
  makeFolders(paths);
  const release = holdState(paths);
  try {
    return await serve(paths, options, signal);
  } finally {
    release();
  }
}

async function serve(paths: StatePaths, options: AgentOptions, signal: AbortSignal): Promise<"stopped" | "unreached"> {
  const { config, log, clock = systemClock } = options;
  refuseOpenKeys(paths);
  checkFiles(paths, programFiles(), options.insecureFiles, log);
  let pinned = requirePinned(readPinned(paths), config);
  const network = loadNetwork(config.tls.ca, config.proxy);
  const identity = await createIdentityKeeper({
    paths,
    pinned: () => pinned,
    lifeDays: config.identityDays,
    request: (signer, said, until) => requestToken({ ...tokenDeps, signer }, said, until),
    rotated: (kid) => note({ event: "rotate", key: "identity", kid }),
    clock,
    log,
  });
  const past = readPastDay(paths.journal, clock.wallMs());
  const journaling = openJournaling(paths.journal, config.journal, network, clock, log);
  const { journal, note } = journaling;
  const usage = loadUsage(paths);
  const policyWatch = {
    changed(next: PolicySnapshot) {
      note({ event: "policy", policy: next.digest });
      log.info({ policy: next.digest }, "the policy has changed");
      accepts.stopWithout(Object.keys(next.policy.connections));
    },
    refused: () => note({ event: "policy", policy: policy.current().digest, code: "policy.invalid" }),
    untrusted: () => (options.insecureFiles ? undefined : whyUntrusted(paths.policy)),
  };
  const policy = createPolicySource(paths.policy, log, policyWatch, clock);
  const host = machineName();
  journal.append({
    event: "start",
    agent: pinned.agent,
    site: pinned.site,
    version: VERSION,
    policy: policy.current().digest,
    ...(host === undefined ? {} : { host }),
  });
  endOrphans(journal, past.orphans);

  let draining = false;
  const isOwnerDraining = (): boolean => isSet(join(paths.control, "drain"));
  const isDraining = (): boolean => draining || isOwnerDraining();
  const isLocked = (): boolean => isSet(join(paths.control, "lock"));
  const breaker = createLoginBreaker(usage, (state) => storeUsage(paths, state), clock.wallMs);
  const budgets = createConnectionBudgets(breaker, past.sentToday, clock.wallMs, past.writtenToday);
  const requests = new Set<string>();
  const admission = createAdmission({
    maxSessions: config.maxSessions,
    sessionsPerMinute: () => sessionsPerMinute(policy.current().policy.limits),
    draining: isDraining,
    locked: isLocked,
    journalWritable: () => journal.writable(),
    monotonicMs: clock.monotonicMs,
  });
  const pool = createExecutorPool({
    memoryBytes: config.executorMemory,
    warm: Math.min(WARM_EXECUTORS, config.maxSessions),
    log,
  });
  const outgrown = createOutgrown();
  const maskKey = createMaskKeySource(paths, usage, () => storeUsage(paths, usage), note, log);
  /** As it is announced; the session that asks is not counted. */
  const state = (): AgentState => ({
    version: VERSION,
    policy: policy.current().digest,
    maxSessions: config.maxSessions,
    running: Math.max(0, admission.running - 1),
    locked: isLocked(),
    draining: isDraining(),
  });
  const accepts = createAccepts({
    admission,
    reject: createReject(network, log),
    begin(offer) {
      const deps: SessionDeps = {
        journal,
        budgets,
        running: requests,
        loginKey: usage.loginKey,
        signer: identity.signer,
        unsealKey: () => loadUnsealKey(paths, options.credentials),
        pinned,
        policy: policy.current(),
        network,
        maxSessions: config.maxSessions,
        hasConnection: (name) => Object.hasOwn(policy.current().policy.connections, name),
        memoryBytes: config.executorMemory,
        state: state(),
        maskKey: maskKey(policy.current().policy),
        startSignIn: (hear, ended) => startSignInChild(hear, ended, log),
        outgrown,
        heard: liveness.heard,
        clock,
        log,
      };
      // Last, so that nothing that fails has taken one.
      return runSession(offer, pool.take(), deps);
    },
    turnedDownPing: (id) => liveness.heard(id, true),
    namespaceHost: () => new URL(`wss://${pinned.relayHost}`).hostname,
    rendezvousHosts: config.rendezvousHosts,
    log,
  });
  const tokenDeps = { origin: config.origin, agent: pinned.agent, signer: identity.signer, network, clock };
  const updates = await openUpdateWatch({
    ...tokenDeps,
    config,
    mode: () => policy.current().policy.updates,
    pinned: () => pinned,
    random: Math.random,
    log,
  });
  const report = () => ({
    journal: journal.head(),
    ...journaling.known.shown(),
    policy: policy.current().digest,
    locked: isLocked(),
    draining: isDraining(),
    version: VERSION,
    maxSessions: config.maxSessions,
    keysSeq: pinned.keysSeq,
    ...(updates === undefined ? {} : { updates: updates.report() }),
  });
  const tokens = createTokenKeeper({
    request: async (until) => journaling.answered(await identity.ask(report(), until)),
    pinned: () => pinned,
    store: (next, newKids) => {
      // First on the disk: what a restart would not know must not be acted on now.
      writePinned(paths, next);
      pinned = next;
      for (const kid of newKids) note({ event: "rotate", key: "orchestrator", kid });
    },
    renewed: ({ token }) => listener.renew(token),
    note: (code) => note(code === undefined ? { event: "token" } : { event: "token", code }),
    revoked() {
      log.error(
        "the orchestrator has revoked this agent: its sessions are ended, and it gets no others until it is enrolled again",
      );
      accepts.stopAll("agent.revoked", "The platform team revoked this agent.");
    },
    clock,
    random: Math.random,
    log,
  });
  const listener = createListener({
    open: config.channel === "ws" ? openWsSocket : openHycoSocket,
    tokens,
    network,
    onAccept: accepts.onAccept,
    onState: () => void tellStatus(),
    clock,
    random: Math.random,
    log,
  });
  const liveness = createLiveness({
    ask: (until) => requestHealth(tokenDeps, until),
    canarySeconds: () => pinned.settings.canarySeconds,
    rebuild: listener.rebuild,
    clock,
    log,
  });

  const status = createStatusView({
    ...{ config, identity, listener, tokens, liveness, policy, accepts, admission, journaling, clock },
    ...{ pinned: () => pinned, updates: () => updates?.state ?? null, isLocked, isDraining },
  });

  /** At once: whoever locks, drains or waits for the agent to be ready wants its word now. */
  const tellStatus = (last: Partial<AgentStatus> = {}): Promise<void> =>
    status()
      .then((now) => writeStatus(paths, { ...now, ...last }))
      .catch((error: Error) => log.error({ why: error.message }, "the status file could not be written"));

  const stopped = new AbortController();
  const unreached = liveness.run(stopped.signal);
  const running = Promise.all([
    unreached,
    tokens.run(stopped.signal),
    listener.run(stopped.signal),
    keepStatus(tellStatus, clock, stopped.signal),
    watchFlag(
      isOwnerDraining,
      (set) => {
        note({ event: "drain", decision: set ? "deny" : "allow" });
        if (set) accepts.finishAll();
        void tellStatus();
      },
      clock,
      stopped.signal,
    ),
    watchFlag(
      isLocked,
      (locked) => {
        note({ event: "lock", decision: locked ? "deny" : "allow" });
        if (locked) accepts.stopAll("agent.locked", "The agent's owner locked it.");
        void within(accepts.idle(), STOP_WITHIN_MS, clock).then(() => tellStatus());
      },
      clock,
      stopped.signal,
    ),
    watchFlag(identity.isDue, (due) => due && tokens.askNow(), clock, stopped.signal),
    updates?.run(stopped.signal),
    updates &&
      watchFlag(
        () => updates.unsaid,
        (is) => is && tokens.askNow(),
        clock,
        stopped.signal,
      ),
  ]);
  log.info({ agent: pinned.agent, site: pinned.site, version: VERSION, channel: config.channel }, "agent started");

  const why = await Promise.race([aborted(signal), unreached]);
  draining = true;
  log.info({ running: admission.running }, "draining");
  note({ event: "drain" });
  await drain(accepts, config.drainSeconds * 1000, clock);
  await pool.close();
  await accepts.idle();
  stopped.abort();
  await running;
  note({ event: "stop" });
  await journaling.close();
  await tellStatus({ ready: false, notReady: "the agent has stopped" });
  log.info("agent stopped");
  return why;
}

/** Lets sessions come to their next checkpoint, then has those stop that are still there. */
async function drain(accepts: Accepts, withinMs: number, clock: Clock): Promise<void> {
  accepts.finishAll();
  await within(accepts.idle(), withinMs, clock);
  accepts.stopAll("agent.draining", "The agent is stopping.");
  await within(accepts.idle(), STOP_WITHIN_MS, clock);
}

const aborted = (signal: AbortSignal): Promise<"stopped"> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve("stopped");
    else signal.addEventListener("abort", () => resolve("stopped"), { once: true });
  });
