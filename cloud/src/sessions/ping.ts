/** A canary: a session of its own kind, that an agent takes even when it is locked or draining, and answers with its state. */
import { randomBytes } from "node:crypto";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import { type ErrorCode, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { DEFAULT_WINDOW_BYTES } from "@sallyport/shared/protocol/request.ts";
import { type AgentState, agentState } from "@sallyport/shared/schema/liveness.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { dial } from "./dial.ts";
import { exchange } from "./exchange.ts";
import { awaitHello } from "./hello.ts";
import type { Candidate, SessionDeps } from "./open.ts";
import type { Consumer } from "./session.ts";

export type PingDeps = Pick<SessionDeps, "relayHost" | "authorization" | "alert"> & { readonly signer: Signer };

export interface Pinged extends Omit<Candidate, "unsealKid"> {
  readonly tenant: string;
  readonly site: string;
}

export type PingOutcome =
  | { readonly ok: true; readonly state: AgentState }
  | { readonly ok: false; readonly code: ErrorCode };

/** Pings one agent: `id` is the request's. What does not come back is a value. */
export type Ping = (agent: Pinged, id: string, signal: AbortSignal) => Promise<PingOutcome>;

/** Who asks, as it stands in the agent's journal. */
const CALLER = "canary:timer";
const LIMITS = { ...DEFAULT_LIMITS, seconds: 30 };

export function createPing(deps: PingDeps): Ping {
  return async (agent, id, signal) => {
    const { path, identity, kid, previous, site, tenant } = agent;
    const challenge = toBase64url(randomBytes(32));
    const authorization = await deps.authorization(path);
    const dialled = await dial(
      { host: deps.relayHost, path, authorization, challenge, requestId: id, purpose: "ping" },
      signal,
    );
    if (!dialled.ok) return { ok: false, code: dialled.code };
    const { socket } = dialled;
    let state: AgentState | undefined;
    const consumer: Consumer = {
      ...NO_ROWS,
      result: async (bytes) => {
        state = agentState.safeParse(parseJson(bytes)).data;
      },
    };
    try {
      const hello = await awaitHello(socket, { agent: agent.id, site, challenge, identity, kid, previous }, signal);
      const payload = async () => ({
        ...{ v: 1 as const, id, hello: toBase64url(hello.hash), agent: agent.id, site, tenant, connection: null },
        ...{ caller: CALLER, iat: Math.floor(Date.now() / 1000), operation: { op: "agent.ping" as const } },
        ...{ credential: null, limits: LIMITS, window: DEFAULT_WINDOW_BYTES },
      });
      const outcome = await exchange({ socket, hello, signer: deps.signer }, payload, consumer, signal);
      if (!outcome.ok) return { ok: false, code: outcome.code };
      return state === undefined ? { ok: false, code: "protocol.order" } : { ok: true, state };
    } catch (thrown) {
      socket.terminate();
      if (!(thrown instanceof SallyportError)) throw thrown;
      if (thrown.code === "protocol.hello") deps.alert("hello refused", { agent: agent.id, site, ...thrown.detail });
      return { ok: false, code: thrown.code };
    }
  };
}

const rows = async (): Promise<never> => {
  throw new SallyportError("protocol.order", "Rows came for a ping.");
};
const NO_ROWS: Consumer = { schema: rows, batch: rows, checkpoint: rows };
