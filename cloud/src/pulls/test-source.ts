/** A source behind a fake session, with real Arrow: rows with growing versions, read by rowversion, with checkpoints. */
import { encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import type { Plan, SqlTable } from "@sallyport/shared/schema/operations.ts";
import type { Consumer, OpenSession, SessionOutcome, SessionRequest } from "../sessions/session.ts";
import { EXACT_COLUMNS, type ExactRow, exactBatch, ordinaryRows } from "../sinks/test-rows.ts";

export interface TestSource {
  rows: ExactRow[];
  /** Rows of a batch; a checkpoint follows each. */
  batchRows: number;
  /** Without, it sends no checkpoints and cannot be resumed. */
  positions: boolean;
  /** What the agent says of itself and its table. */
  policy: string;
  plan: Partial<Plan>;
  /** The mask key under which it hashed a column; null where it hashes none. */
  maskKey: string | null;
  /** Whether its agent is not revoked. */
  mayServe: () => Promise<boolean>;
  /** Before each batch of a session; an outcome ends it. */
  onBatch: (batch: number, request: SessionRequest, signal: AbortSignal) => Promise<SessionOutcome | undefined>;
  readonly requests: SessionRequest[];
  readonly openSession: OpenSession;
}

/** A text of `EXACT_COLUMNS`. */
const HASHED = "Name";
const POLICY = "p".repeat(43);

/** `count` rows with Id and version 1 to `count`. */
export function testSource(count: number): TestSource {
  const requests: SessionRequest[] = [];
  const source: TestSource = {
    rows: ordinaryRows(1, count),
    batchRows: 10,
    positions: true,
    policy: POLICY,
    plan: {},
    maskKey: null,
    mayServe: async () => true,
    onBatch: async () => undefined,
    requests,
    openSession: (request, consumer, signal) => serve(source, request, consumer, signal),
  };
  return source;
}

async function serve(
  source: TestSource,
  request: SessionRequest,
  consumer: Consumer,
  signal: AbortSignal,
): Promise<SessionOutcome> {
  source.requests.push(request);
  const { operation } = request;
  if (operation.op !== "sql.table") throw new TypeError("the test's source has only tables");
  const plan = planOf(source, operation);
  const columns = EXACT_COLUMNS.map((column) =>
    source.maskKey !== null && column.name === HASHED ? { ...column, metadata: { masked: "hash" } } : column,
  );
  const bytes = encodeSchema(columns, { "sallyport.plan": JSON.stringify(plan) });
  consumer.servedBy?.(source.mayServe);
  await consumer.schema({
    bytes,
    columns,
    plan,
    policy: source.policy,
    maskKey: source.maskKey,
    agent: "a".repeat(32),
  });
  const after = BigInt(operation.position ?? operation.from ?? "0");
  const rows = source.rows.filter(({ id }) => id > after && (plan.to === null || id <= BigInt(plan.to)));
  let position = operation.position ?? null;
  let sent = 0;
  let bytesSent = 0;
  for (let batch = 1; sent < rows.length; batch++) {
    const ended = await source.onBatch(batch, request, signal);
    if (ended) return ended;
    if (signal.aborted) return refused("request.cancelled");
    const piece = rows.slice(sent, sent + source.batchRows);
    const { message, rows: count, decompressedBytes, columns: views } = exactBatch(piece);
    await consumer.batch({ bytes: message, rows: count, decompressedBytes, columns: views });
    sent += count;
    bytesSent += message.length;
    if (!source.positions) continue;
    position = String(piece.at(-1)!.id);
    const answer = await consumer.checkpoint({ rows: sent, bytes: bytesSent, position });
    if (answer === "finish") return endedWith(sent, bytesSent, batch, position, sent === rows.length);
  }
  return endedWith(sent, bytesSent, Math.ceil(sent / source.batchRows), position, true);
}

function planOf(source: TestSource, operation: SqlTable): Plan {
  const highest = source.rows.reduce((most, { id }) => (id > most ? id : most), 0n);
  const fresh = operation.watermark === "none" ? null : (operation.to ?? String(highest));
  const to = operation.plan ? operation.plan.to : fresh;
  return { to, key: ["Id"], isolation: "readCommitted", consistency: "exact", ...source.plan };
}

const endedWith = (
  rows: number,
  bytes: number,
  batches: number,
  position: string | null,
  complete: boolean,
): SessionOutcome => ({ ok: true, rows, bytes, batches, position, complete, executedMs: 1 });

export const refused = (code: Extract<SessionOutcome, { ok: false }>["code"]): SessionOutcome => ({
  ok: false,
  code,
  message: `The test says ${code}.`,
  detail: {},
});
