/** `run/status.json`: what `sallyport status` reads. Written every 5 s; older than 20 s means that nobody writes it. */
import { userInfo } from "node:os";
import { parseJson } from "@sallyport/shared/json.ts";
import { sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { readTextIfAny, type StatePaths, writeFileDurably } from "../state.ts";

const STATUS_EVERY_MS = 5_000;
export const STATUS_STALE_MS = 20_000;

const agentStatus = z.object({
  v: z.literal(1),
  at: z.iso.datetime(),
  pid: z.int(),
  startedAt: z.iso.datetime(),
  version: z.string(),
  /** The system's account that it runs as. */
  account: z.string().default("?"),
  agent: z.string(),
  tenant: z.string(),
  site: z.string(),
  fingerprint: z.string(),
  /** Takes sessions now: channel online, not locked, not draining, journal writable. */
  ready: z.boolean(),
  /** Why not; null when it does. */
  notReady: z.string().nullable(),
  locked: z.boolean(),
  draining: z.boolean(),
  channel: z.union([
    z.object({ state: z.literal("online"), since: z.string() }),
    z.object({ state: z.literal("offline"), why: z.string() }),
  ]),
  token: z.union([
    z.object({
      state: z.literal("valid"),
      renewedAt: z.string(),
      expiresAt: z.string(),
      /** The orchestrator's clock less this machine's. */
      offsetMs: z.number().default(0),
    }),
    z.object({ state: z.literal("none"), why: z.string() }),
  ]),
  /** What was heard last from the orchestrator's end, and canaries in a row that were sent and did not arrive. */
  canary: z.object({ heardAt: z.string().nullable(), canaryAt: z.string().nullable(), missed: z.int() }),
  /** `problem`: of a newer policy.yaml that is not valid, so that the former one stays in force. */
  policy: z.object({ digest: sha256Text, connections: z.int(), rules: z.int(), problem: z.string().nullable() }),
  /** `host:port` of the relay's gateway that the last session came by. */
  gateway: z.string().nullable().default(null),
  sessions: z.object({ running: z.int(), most: z.int(), served: z.int() }),
  /** `known`: the line that the orchestrator told last that it knows, and when. */
  journal: z
    .object({
      seq: z.int(),
      hash: sha256Text,
      known: z.object({ seq: z.int(), hash: sha256Text, at: z.string() }).nullable().default(null),
    })
    .nullable(),
  /** Of the journal's copy: lines that wait for the server, and those it will never get, since start. Null without a server. */
  syslog: z.object({ connected: z.boolean(), waiting: z.int(), dropped: z.int() }).nullable().default(null),
  /** What the owner allows, and the newest release for this agent; null where this program is not updated from here. */
  updates: z
    .object({ mode: z.enum(["manual", "notify", "window"]), available: z.string().max(40).nullable() })
    .nullable()
    .default(null),
});
export type AgentStatus = z.infer<typeof agentStatus>;

/** Whether sessions are taken now, and what is in the way. */
export function readiness(facts: {
  readonly channel: AgentStatus["channel"];
  readonly locked: boolean;
  readonly draining: boolean;
  readonly journalWritable: boolean;
}): Pick<AgentStatus, "ready" | "notReady"> {
  const { channel, locked, draining, journalWritable } = facts;
  const reasons = [
    ...(channel.state === "online" ? [] : [`control channel: ${channel.why}`]),
    ...(locked ? ["locked by the owner (control/lock)"] : []),
    ...(draining ? ["draining"] : []),
    ...(journalWritable ? [] : ["the journal cannot be written, or less than 50 MB of disk is free"]),
  ];
  return { ready: reasons.length === 0, notReady: reasons.length === 0 ? null : reasons.join("; ") };
}

/** The system's account that runs this; a container's may have a number only. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "?"}`;
  }
}

export function writeStatus(paths: StatePaths, status: AgentStatus): void {
  writeFileDurably(paths.status, `${JSON.stringify(agentStatus.parse(status), null, 2)}\n`);
}

/** The last status, and whether the agent that wrote it is still there; undefined when it never ran. */
export function readStatus(paths: StatePaths, nowMs: number): { status: AgentStatus; live: boolean } | undefined {
  const text = readTextIfAny(paths.status);
  if (text === undefined) return undefined;
  const parsed = agentStatus.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  // One of the future is of a clock that was set back since.
  const fresh = Math.abs(nowMs - Date.parse(parsed.data.at)) < STATUS_STALE_MS;
  return { status: parsed.data, live: fresh && isRunning(parsed.data.pid) };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Writes the status every 5 s. @param write never rejects: a full disk does not end the agent */
export async function keepStatus(write: () => Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await write();
    await clock.sleep(STATUS_EVERY_MS, signal).catch(() => {});
  }
}
