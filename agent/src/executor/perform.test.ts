import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { DEFAULT_LIMITS, type Operation } from "@sallyport/shared/schema/operations.ts";
import type { Outcome, Writer } from "../connectors/connector.ts";
import type { SessionOrder } from "../pipe/messages.ts";
import { parsePolicy } from "../policy/file.ts";
import { judge } from "./judge.ts";
import { perform } from "./perform.ts";
import type { SealedStream } from "./stream.ts";
import { createStopwatch } from "./timings.ts";

const POLICY = `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: status, allow: [insert], tables: [dbo.Status], columns: [Id] }
      - { id: close, allow: [call], procedure: dbo.Close, effect: write }
      - { id: look, allow: [call], procedure: dbo.Look, effect: read }
`;
const NOW = new Date();
const INSERT: Operation = { op: "sql.write", table: "dbo.Status", action: "insert", columns: ["Id"] };
const call = (procedure: string): Operation => ({ op: "sql.call", procedure, parameters: {}, effect: "write" });

/** Serves the operation by a writer that answers at once; whoever asked has cancelled by then, so nothing can be sent. */
async function answerLate(operation: Operation): Promise<Outcome> {
  const controller = new AbortController();
  const stream: SealedStream = {
    totals: { rows: 0, bytes: 0, batches: 0 },
    signal: controller.signal,
    finishing: false,
    sendPieces: async () => controller.signal.throwIfAborted(),
    sendJson: async () => {},
    message: () => {},
    onInput: () => {},
    credit: () => {},
    finish: () => {},
    stop: (error) => controller.abort(error),
    end: () => {},
  };
  const writer: Writer = async (_target, { op }, _grant, _limits, { output }) => {
    stream.stop(new SallyportError("request.cancelled", "Somebody cancelled."));
    await output.result({ op });
    return { complete: true, committed: true };
  };
  const request: SessionRequestPayload = {
    ...{ v: 1, id: "0".repeat(32), hello: "h".repeat(43), agent: "a".repeat(32), site: "oslo", tenant: "contoso" },
    ...{ connection: "erp", caller: "key:sp_x", iat: 0, operation, limits: DEFAULT_LIMITS, window: 4 << 20 },
    credential: { form: "plain", user: "svc", password: "a-secret", signIn: "sql" },
  };
  const order = { policy: POLICY, authorities: {}, memoryBytes: 2 ** 40 } as unknown as SessionOrder;
  const { work } = judge(request, parsePolicy(POLICY, NOW), false, Buffer.alloc(32), NOW);
  assert.ok(work.do === "serve" && work.credential.form === "plain");
  const { credential } = work;
  const none = new Error("not asked for");
  const connectors = {
    mssql: Promise.reject(none),
    mssqlWriter: Promise.resolve(writer),
    ldap: () => Promise.reject(none),
  };
  connectors.mssql.catch(() => {});
  return perform(
    { ...work, credential },
    {
      request,
      order,
      stream,
      stopwatch: createStopwatch({ monotonicMs: () => 0 }),
      connectors,
      onLogin: () => {},
      onSending: async () => {},
      onRowsIn: () => {},
    },
  );
}

for (const operation of [INSERT, call("dbo.Close")]) {
  test(`${operation.op}: a change whose answer cannot be sent is never told as cancelled`, async () => {
    await assert.rejects(answerLate(operation), { code: "write.outcome_unknown" });
  });
}

test("a call that only reads, and whose answer cannot be sent, ends with why", async () => {
  await assert.rejects(answerLate(call("dbo.Look")), { code: "request.cancelled" });
});
