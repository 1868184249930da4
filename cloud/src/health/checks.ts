/** The checks behind `GET /api/health`: each answers what is wrong, with numbers at most, and none changes anything. */
import type { KeyObject } from "node:crypto";
import { randomBytes, verify } from "node:crypto";
import { get } from "node:https";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import type { Agent } from "../store/agents.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { HealthCode } from "./codes.ts";

export interface Finding {
  readonly code: HealthCode;
  readonly facts: Readonly<Record<string, number>>;
}

/** Answers what is wrong. What it throws is wrong, too: as the code that it stands for. */
export interface Check {
  readonly code: HealthCode;
  run(): Promise<readonly Finding[]>;
}

/** What the checks look at. Each throws, or rejects, when it is not to be had. */
export interface Looked {
  readonly store: Pick<Store, "wake" | "agents">;
  /** One read of the container's properties. */
  readonly readContainer: () => Promise<unknown>;
  /** Opens the link to the queue, where it is not open. */
  readonly openQueue: () => Promise<unknown>;
  readonly relayHost: string;
  readonly relayToken: () => Promise<unknown>;
  readonly signer: Signer;
  /** Public halves of what agents trust, by key id. */
  readonly trusted: (kid: string) => KeyObject | undefined;
  readonly canarySeconds: number;
  readonly nowMs: () => number;
}

/** An entry of the wake index is looked at within a minute; twice that and a half is nobody's delay. */
const LATE_SECONDS = 150;

/** Cheap: at most one storage operation each. */
export const quickChecks = (looked: Looked): readonly Check[] => [
  { code: "storage.tables", run: () => nothingWrong(looked.store.wake.place()) },
  { code: "storage.blobs", run: () => nothingWrong(looked.readContainer()) },
  { code: "queue.unreachable", run: () => nothingWrong(looked.openQueue()) },
  { code: "relay.unreachable", run: () => nothingWrong(reach(looked.relayHost)) },
  { code: "relay.no_token", run: () => nothingWrong(looked.relayToken()) },
];

/** Dearer: a signature by the vault, the 16 partitions of the wake index, the table of agents. */
export const slowChecks = (looked: Looked): readonly Check[] => [
  { code: "signing_key.unusable", run: () => nothingWrong(signAndVerify(looked)) },
  { code: "schedule.late", run: () => lateSchedule(looked) },
  { code: "canaries.late", run: () => unprovenAgents(looked) },
];

async function nothingWrong(done: Promise<unknown>): Promise<readonly Finding[]> {
  await done;
  return [];
}

/** Any answer will do: the relay has no address that answers to nobody in particular. */
function reach(host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get({ ...hostAndPort(host), path: "/", timeout: 4_000, agent: false }, (response) => {
      response.destroy();
      resolve();
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}

function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const [host = "", port = "443"] = text.split(":");
  return { host, port: Number(port) };
}

async function signAndVerify({ signer, trusted }: Looked): Promise<void> {
  const input = randomBytes(32);
  const signature = await signer.sign(input);
  const key = trusted(signer.kid);
  if (key === undefined || !verify("sha256", input, { key, dsaEncoding: "ieee-p1363" }, signature)) {
    throw new Error("agents would not take its signatures");
  }
}

async function lateSchedule({ store, nowMs }: Looked): Promise<readonly Finding[]> {
  const [oldest] = await store.wake.due(nowMs() - LATE_SECONDS * 1000, 1);
  if (oldest === undefined) return [];
  return [{ code: "schedule.late", facts: { seconds: Math.round((nowMs() - oldest.atMs) / 1000) } }];
}

/** Unproven for two periods is a matter of the agent's, or of its site; for three without even a canary one of the timer's. */
async function unprovenAgents({ store, canarySeconds, nowMs }: Looked): Promise<readonly Finding[]> {
  const agents = await store.agents.active();
  const atMs = nowMs();
  const ageSeconds = (at: readonly (string | null | undefined)[]): number => {
    const newestMs = at.reduce((newest, one) => Math.max(newest, one ? Date.parse(one) : 0), 0);
    return Math.round((atMs - newestMs) / 1000);
  };
  const unproven = agents
    .map(provenAt)
    .map(ageSeconds)
    .filter((age) => age > 2 * canarySeconds + 60);
  const unsent = agents
    .map((agent) => ageSeconds([...provenAt(agent), agent.value.canary?.sentAt]))
    .filter((age) => age > 3 * canarySeconds + 60);
  return [...finding("canaries.late", unsent, agents.length), ...finding("agents.unproven", unproven, agents.length)];
}

/** When an agent was last proven to be reached; enrolling is a proof, too. */
const provenAt = ({ value }: Stored<Agent>) => [value.enrolledAt, value.reachedAt, value.canaryAt];

function finding(code: HealthCode, ages: readonly number[], of: number): readonly Finding[] {
  if (ages.length === 0) return [];
  const oldestSeconds = ages.reduce((oldest, age) => Math.max(oldest, age), 0);
  return [{ code, facts: { agents: ages.length, of, oldestSeconds } }];
}
