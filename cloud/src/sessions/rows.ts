/** What an agent's schema and batches must be before anything else of ours reads them. */
import { parseJson } from "@sallyport/shared/json.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type CheckedBatch, checkBatch } from "@sallyport/shared/rows/check.ts";
import { decodeSchema } from "@sallyport/shared/rows/schema.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { type Limits, type Plan, plan } from "@sallyport/shared/schema/operations.ts";

export interface RowCheck {
  schema(bytes: Uint8Array): { bytes: Uint8Array; columns: readonly Column[]; plan: Plan };
  batch(bytes: Uint8Array): Omit<CheckedBatch, "bytes"> & { readonly bytes: Uint8Array };
  /** What comes in the place of rows counts as they do. @throws limit.bytes */
  result(bytes: Uint8Array): Uint8Array;
  /** @throws protocol.order when the agent counts other rows than arrived. */
  expectCount(rows: number): void;
}

/** Counts what arrives against the request's limits: the orchestrator enforces its own. */
export function createRowCheck(limits: Limits): RowCheck {
  let columns: readonly Column[] = [];
  let rows = 0;
  let bytes = 0;
  return {
    schema: (message) => {
      const decoded = decodeSchema(message);
      const parsed = plan.safeParse(parseJson(Buffer.from(decoded.metadata["sallyport.plan"] ?? "")));
      if (!parsed.success) throw new SallyportError("protocol.batch", "The schema carries no plan that fits.");
      columns = decoded.columns;
      return { bytes: message, columns, plan: parsed.data };
    },
    batch: (message) => {
      // Before anything is decompressed: what a batch may still become is what is left.
      const checked = checkBatch(message, columns, {
        ...limits,
        whole: { bytes: limits.bytes, leftBytes: limits.bytes - bytes },
      });
      rows += checked.rows;
      bytes += checked.decompressedBytes;
      if (rows > limits.rows)
        throw new SallyportError("limit.rows", `More than ${limits.rows} rows arrived.`, { rows: limits.rows });
      return { ...checked, bytes: message };
    },
    result: (given) => {
      bytes += given.byteLength;
      if (bytes > limits.bytes)
        throw new SallyportError("limit.bytes", `More than ${limits.bytes} bytes arrived.`, { bytes: limits.bytes });
      return given;
    },
    expectCount: (claimed) => {
      if (claimed !== rows)
        throw new SallyportError("protocol.order", "The agent counts other rows than it sent.", { claimed, rows });
    },
  };
}
