/** Writes and calls through a site's agent, by the orchestrator's own sessions module. */
import { randomBytes } from "node:crypto";
import { exchange } from "@sallyport/cloud/src/sessions/exchange.ts";
import type { SessionInput, SessionOutcome } from "@sallyport/cloud/src/sessions/session.ts";
import type { PlainCredential, SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { drainBatch, type EncodedBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column, ColumnType } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS, type Operation } from "@sallyport/shared/schema/operations.ts";
import type { WebSocket } from "ws";
import { dial, pingRequest } from "./sender.ts";
import type { Site } from "./site.ts";

export type Answered = SessionOutcome & { readonly result: Record<string, unknown> | undefined; readonly id: string };

export interface Order {
  readonly connection: string;
  readonly operation: Operation;
  readonly credential: PlainCredential;
  readonly input?: SessionInput;
  readonly change?: Partial<SessionRequestPayload>;
  /** Told once the hello was taken, before the request is sealed. */
  readonly onSocket?: (socket: WebSocket) => void;
  readonly signal?: AbortSignal;
}

/** Opens a session, asks, and answers how it ended. Rejects where no session came about. */
export async function order(
  site: Site,
  { connection, operation, credential, input, ...more }: Order,
): Promise<Answered> {
  const dialled = await dial(site);
  if (!dialled.ok) throw new Error(`no session: ${dialled.status} ${dialled.reason}`);
  const { socket, hello } = dialled.sender;
  more.onSocket?.(socket);
  const payload = { ...pingRequest(hello), connection, operation, credential, ...more.change };
  let result: Record<string, unknown> | undefined;
  const outcome = await exchange(
    { socket, hello, signer: site.orchestrator.signer, input },
    async () => payload,
    {
      schema: async () => {},
      batch: async () => {},
      checkpoint: async () => "continue",
      result: async (bytes) => {
        result = JSON.parse(Buffer.from(bytes).toString("utf8")) as Record<string, unknown>;
      },
    },
    more.signal ?? new AbortController().signal,
  );
  return { ...outcome, result, id: payload.id };
}

export const newId = (): string => randomBytes(16).toString("hex");

export const column = (name: string, type: ColumnType): Column => ({ name, type, nullable: true, source: "" });
export const INT: ColumnType = { kind: "int", bits: 32, signed: true };
export const TEXT: ColumnType = { kind: "utf8" };

/** Rows made as the agent takes them, 2,000 to a batch. */
export function rowsOf(
  columns: readonly Column[],
  rows: number,
  fill: (batch: RowBatch, row: number) => void,
  onBatch: (batch: number) => Promise<void> | void = () => {},
): SessionInput {
  async function* batches(): AsyncGenerator<EncodedBatch> {
    const batch = createBatch(columns, { ...DEFAULT_LIMITS, batchBytes: 2 ** 19 });
    let number = 0;
    for (let row = 0; row < rows; row++) {
      fill(batch, row);
      batch.rowDone();
      if (!batch.full && batch.length < 2000) continue;
      await onBatch(number++);
      yield* drainBatch(batch);
    }
    yield* drainBatch(batch);
    await onBatch(number);
  }
  return { schema: encodeSchema(columns), batches: batches() };
}
