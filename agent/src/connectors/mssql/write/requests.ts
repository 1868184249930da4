/**
 * Idempotency keys, in a table of the owner's choosing: a request's key is inserted in the transaction of its own change,
 * so that key and change are there together or not at all. docs/connectors/mssql.md has the CREATE TABLE.
 */
import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { TYPES } from "tedious";
import { splitTable } from "../../../names.ts";
import { ask, askBatch } from "../ask.ts";
import type { Session } from "../session.ts";
import { quoteName } from "../statement.ts";

/** What was stored with a key. */
export interface Kept {
  /** JSON of what the first request was answered. */
  readonly answer: unknown;
}

export interface RequestKeys {
  /**
   * Takes the key for this transaction. A request that holds it, and has not ended, is waited for, up to the lock timeout.
   * @returns what the key was taken for before; then nothing may be changed
   * @throws request.invalid where it was taken for another request
   */
  take(signal: AbortSignal): Promise<Kept | undefined>;
  /** Keeps the answer, in the same transaction. */
  keep(answer: unknown, signal: AbortSignal): Promise<void>;
}

const DUPLICATE = [2601, 2627];

/**
 * @param subject what the request does, to what: the same key for anything else is a mistake
 */
export function createRequestKeys(session: Session, requestTable: string, key: string, subject: string): RequestKeys {
  const [schema = "", name = ""] = splitTable(requestTable) ?? [];
  const table = `${quoteName(schema)}.${quoteName(name)}`;
  const hash = createHash("sha256").update(subject).digest("hex");
  const text = (parameter: string, value: string, length: number) => ({
    ...{ name: parameter, type: TYPES.NVarChar, value, length },
  });
  const ofKey = text("key", key, 128);
  const find = async (signal: AbortSignal): Promise<Kept | undefined> => {
    const sql = `SELECT RequestKey AS taken, Request AS request, Answer AS answer FROM ${table} WHERE RequestKey = @key`;
    const [row] = await ask(session, { sql, parameters: [ofKey] }, signal);
    if (row === undefined) return undefined;
    // The table's collation may take `a` for `A`: then the answer is another request's, and this one was never made.
    if (row.taken !== key) throw usedBefore("The table for idempotency keys takes this one for another.");
    if (row.request !== hash) throw usedBefore("This idempotency key was used for another request.");
    return { answer: answerOf(row.answer) };
  };
  return {
    async take(signal) {
      const before = await find(signal);
      if (before !== undefined) return before;
      const sql = `INSERT INTO ${table} (RequestKey, Request) VALUES (@key, @request)`;
      try {
        await ask(session, { sql, parameters: [ofKey, text("request", hash, 64)] }, signal);
        return undefined;
      } catch (error) {
        if (!(error instanceof SallyportError) || !DUPLICATE.includes(Number(error.detail.number))) throw error;
        // Somebody was quicker, and the transaction is gone with the error: another one, for what they did is there to read.
        await askBatch(session, "IF @@TRANCOUNT = 0 BEGIN TRANSACTION", signal);
        const other = await find(signal);
        if (other === undefined) throw error;
        return other;
      }
    },
    async keep(answer, signal) {
      const sql = `UPDATE ${table} SET Answer = @answer WHERE RequestKey = @key`;
      const json = JSON.stringify(answer);
      await ask(session, { sql, parameters: [text("answer", json, Math.max(1, json.length)), ofKey] }, signal);
    },
  };
}

const usedBefore = (message: string): SallyportError =>
  new SallyportError("request.invalid", message, { field: "operation.idempotencyKey" });

/** Cut where it is longer than a value may be (`SET TEXTSIZE`). */
function answerOf(kept: unknown): unknown {
  try {
    return JSON.parse(String(kept ?? "null"));
  } catch {
    const message = "It was done under this key before; what was answered then is longer than a value may be.";
    throw new SallyportError("limit.bytes", message, { limit: "cellBytes" });
  }
}
