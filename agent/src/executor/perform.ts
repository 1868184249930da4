/** Does what the policy allowed: one operation by one connector, under the limits, while the policy goes on allowing it. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME } from "@sallyport/shared/protocol/frames.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import type { Connector, Outcome, Target } from "../connectors/connector.ts";
import type { Work } from "./judge.ts";
import { createMemoryFuse, createTimeFuse } from "./limits.ts";
import type { SessionOrder } from "./messages.ts";
import { createOutput } from "./output.ts";
import { decide, parsePolicy } from "./policy.ts";
import type { SealedStream } from "./stream.ts";

const RECHECK_POLICY_MS = 60_000;

export interface Connectors {
  readonly mssql: Promise<Connector>;
}

/** Loading takes a few hundred milliseconds, so it begins while the executor waits for its order. */
export function loadConnectors(): Connectors {
  const mssql = import("../connectors/mssql/index.ts").then((module) => module.mssqlConnector);
  // A ping needs none; who needs one hears of the failure.
  mssql.catch(() => {});
  return { mssql };
}

export interface Performance {
  readonly request: SessionRequestPayload;
  readonly order: SessionOrder;
  readonly stream: SealedStream;
  readonly connectors: Connectors;
  readonly onLogin: (step: "sent" | "accepted") => void;
}

/** @throws the refusal, or what the connector throws; the stream's signal has the reason where that was aborted. */
export async function perform(work: Work, performance: Performance): Promise<Outcome> {
  const { request, order, stream, connectors, onLogin } = performance;
  if (work.do === "refuse") throw work.error;
  if (work.do === "ping") {
    await stream.sendJson(FRAME.result, order.state);
    return { complete: true };
  }
  const { allowed, asked } = work;
  const target = { ...targetOf(work, request, order), onLogin };
  const output = createOutput(stream, allowed.limits, request.window);
  const connector = await connectors.mssql;
  const fuse = createTimeFuse(allowed.limits);
  const memory = createMemoryFuse(order.memoryBytes);
  for (const { signal } of [fuse, memory]) {
    signal.addEventListener("abort", () => stream.stop(signal.reason as SallyportError), { once: true });
  }
  // Hours and `until` go on counting while the session runs.
  const recheck = setInterval(() => {
    const now = new Date();
    const decision = decide(parsePolicy(order.policy, now), asked, now);
    if ("deny" in decision) stream.stop(new SallyportError("policy.denied", decision.deny.reason));
  }, RECHECK_POLICY_MS);
  try {
    return await connector(target, request.operation, allowed.grant, allowed.limits, output, stream.signal);
  } finally {
    clearInterval(recheck);
    fuse.clear();
    memory.clear();
  }
}

/** Address, database and trust are the policy's; the request brought the credential only. */
function targetOf(work: Extract<Work, { do: "read" }>, request: SessionRequestPayload, order: SessionOrder): Target {
  const { allowed, credential, connection } = work;
  const { tls, ...place } = allowed.target;
  const caPem = order.authorities[connection];
  if (tls.ca !== undefined && caPem === undefined) {
    throw new SallyportError("connection.tls", "The file of authorities that the policy names cannot be read.");
  }
  const { user, password, signIn } = credential;
  return {
    connection,
    ...place,
    tls: { mode: tls.mode, ...(caPem === undefined ? {} : { caPem }) },
    credential: { user, password, signIn },
    requestId: request.id,
  };
}
