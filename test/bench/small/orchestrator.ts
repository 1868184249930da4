/** The orchestrator's part of a session, the product's own modules in a process of its own, so that its CPU can be told apart. */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { sharedAccessSignature } from "@sallyport/cloud/src/relay.ts";
import { createOpenSession } from "@sallyport/cloud/src/sessions/open.ts";
import type { Consumer } from "@sallyport/cloud/src/sessions/session.ts";
import { NO_TELEMETRY } from "@sallyport/cloud/src/telemetry/telemetry.ts";
import { type KeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { type Answer, type Order, order, setUp } from "./orders.ts";

const TOKEN_SECONDS = 300;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { sendKey, signing, agent, credential } = setUp.parse(JSON.parse((await lines.next()).value ?? ""));
process.stdout.write("{}\n");
for (let line = await lines.next(); !line.done; line = await lines.next()) {
  process.stdout.write(`${JSON.stringify(await carryOut(order.parse(JSON.parse(line.value))))}\n`);
}

async function carryOut({ sessions, atOnce, relayHost }: Order): Promise<Answer> {
  const openSession = createOpenSession({
    relayHost,
    signer: signerOf("ES256", signing as unknown as KeyPair),
    authorization: async (path) => {
      const rule = { host: "localhost", keyName: "send", key: sendKey };
      return sharedAccessSignature(rule, path, Math.floor(Date.now() / 1000) + TOKEN_SECONDS);
    },
    connectionOf: async () => ({ site: "oslo", createdAt: "2026-01-01T00:00:00.000Z", credentialVersion: "1" }),
    candidates: async () => [{ ...agent, unsealKid: "" }],
    isCurrent: async () => true,
    credentialOf: async () => ({ form: "plain", ...credential, signIn: "sql" }),
    began: () => () => {},
    reached: async () => {},
    telemetry: NO_TELEMETRY,
    alert: (what) => {
      throw new Error(what);
    },
  });
  const one = async (): Promise<number> => {
    let rows = 0;
    const consumer: Consumer = {
      schema: async () => {},
      batch: async (batch) => {
        rows += batch.rows;
      },
      checkpoint: async () => "continue",
    };
    const startedMs = performance.now();
    const outcome = await openSession(
      {
        tenant: "contoso",
        connection: "erp",
        caller: "pull:small",
        requestId: randomBytes(16).toString("hex"),
        operation: { op: "sql.query", statement: "one", parameters: {} },
        limits: DEFAULT_LIMITS,
      },
      consumer,
      new AbortController().signal,
    );
    if (!outcome.ok || rows !== 1) throw new Error(`the session ended as ${JSON.stringify(outcome)} with ${rows} rows`);
    return performance.now() - startedMs;
  };
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const milliseconds: number[] = [];
  let left = sessions;
  const worker = async () => {
    while (left-- > 0) milliseconds.push(await one());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = process.cpuUsage(before);
  return { milliseconds, seconds: (performance.now() - startedMs) / 1000, cpuSeconds: (user + system) / 1e6 };
}
