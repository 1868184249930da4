/** One session of a simulated agent: the product's hello, request, sealed stream and encoder, without a process of its own. */

import { systemClock } from "@sallyport/agent/src/clock.ts";
import { errorBodyOf } from "@sallyport/agent/src/executor/error-body.ts";
import { createOutput } from "@sallyport/agent/src/executor/output.ts";
import { type Opened, receiveRequest } from "@sallyport/agent/src/executor/receive-request.ts";
import { dialRendezvous } from "@sallyport/agent/src/executor/rendezvous.ts";
import type { Network } from "@sallyport/agent/src/origin.ts";
import { keysByKid } from "@sallyport/agent/src/pinning.ts";
import type { Pinned } from "@sallyport/agent/src/state.ts";
import { OPERATIONS } from "@sallyport/agent/src/supervisor/session.ts";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateSessionKey } from "@sallyport/shared/crypto/envelope.ts";
import type { Signer } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME } from "@sallyport/shared/protocol/frames.ts";
import { buildHello } from "@sallyport/shared/protocol/hello.ts";
import { InvalidRequest } from "@sallyport/shared/protocol/request.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { AgentState } from "@sallyport/shared/schema/liveness.ts";
import type { Plan } from "@sallyport/shared/schema/operations.ts";

export interface Served {
  readonly address: string;
  readonly challenge: string;
  readonly ping: boolean;
  readonly pinned: Pinned;
  readonly signer: Signer;
  readonly network: Network;
  readonly state: AgentState;
}

const PLAN: Plan = { to: null, key: [], isolation: "readCommitted", consistency: "statement" };
const COLUMNS: readonly Column[] = [
  { name: "One", type: { kind: "int", bits: 32, signed: true }, nullable: false, source: "int" },
];

/** Answers a canary with the agent's state, and anything else with one row. @throws SallyportError when it came to nothing */
export async function serveSession({
  address,
  challenge,
  ping,
  pinned,
  signer,
  network,
  state,
}: Served): Promise<void> {
  const [sessionKey, rendezvous, keys] = await Promise.all([
    generateSessionKey(),
    dialRendezvous(address, network),
    keysByKid(pinned.keys),
  ]);
  try {
    const { agent, site } = pinned;
    const { policy, maxSessions } = state;
    const announced = { version: VERSION, policy, maskKey: null, maxSessions, operations: [...OPERATIONS] };
    const key = toBase64url(sessionKey.publicKey);
    const iat = Math.floor(systemClock.wallMs() / 1000);
    const hello = await buildHello({ v: 1, agent, site, challenge, key, iat, ...announced }, signer);
    const order = { agent, site };
    const deps = { order, sessionKey, hello: hello.record, pinned: keys, clock: systemClock };
    const opened = await receiveRequest(rendezvous, deps);
    await answer(opened, ping, state);
    opened.stream.end();
    await rendezvous.close(1000);
  } catch (thrown) {
    await rendezvous.close(1002);
    throw thrown;
  }
}

async function answer({ stream, request, stopwatch }: Opened, ping: boolean, state: AgentState): Promise<void> {
  if (request instanceof InvalidRequest) throw request;
  const isPing = request.operation.op === "agent.ping";
  if (isPing !== ping) {
    const error = new SallyportError(
      "request.refused",
      "A canary serves nothing else, and nothing else serves canaries.",
    );
    await stream.sendJson(FRAME.error, errorBodyOf(error));
    throw error;
  }
  stopwatch.mark("allowedMs");
  if (isPing) await stream.sendJson(FRAME.result, state);
  else {
    const output = createOutput(stream, request.limits, request.window, async () => {});
    const batch = await output.schema(COLUMNS, PLAN);
    batch.columns[0]!.appendInt(1);
    batch.rowDone();
    await output.flush();
  }
  const { rows, bytes, batches } = stream.totals;
  const timings = request.traceparent === undefined ? {} : { timings: stopwatch.read() };
  const rest = { position: null, complete: true, executedMs: 1, warnings: [] };
  await stream.sendJson(FRAME.end, { rows, bytes, batches, ...rest, ...timings });
}
