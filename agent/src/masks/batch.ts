/**
 * A batch of which some columns leave masked. The connector fills it with what it reads; what is encoded is made from that at
 * each flush, for the masked columns alone: the buffers of the others go out as they were filled.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Drained } from "@sallyport/shared/rows/arrow.ts";
import { type BatchLimits, createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Mask, Masks } from "@sallyport/shared/schema/mask.ts";
import { sameName } from "../names.ts";
import { createMaskedView, growthBytes, maskedColumn } from "./column.ts";
import { createHash, type HashValue } from "./hash.ts";

export interface Masking {
  readonly masks: Masks;
  /** The site's mask key; needed where one of them is `hash`. */
  readonly key: Uint8Array | undefined;
}

export interface MaskedBatch {
  /** The columns as they leave. */
  readonly columns: readonly Column[];
  /** For the connector, with the columns as they are read. */
  readonly batch: RowBatch;
  /** What is encoded. */
  readonly drained: Drained;
}

/** @throws policy.denied for a mask that does not fit its column's type, agent.mask_key where a key is needed and not there */
export function createMaskedBatch(columns: readonly Column[], masking: Masking, limits: BatchLimits): MaskedBatch {
  const masks = columns.map((column) => maskOf(masking.masks, column.name));
  const hash = masks.includes("hash") ? hashOf(masking.key) : noHash;
  const leaving = columns.map((column, at) => {
    const mask = masks[at];
    return mask === undefined ? column : maskedColumn(column, mask);
  });
  const growth = columns.reduce((sum, column, at) => {
    const mask = masks[at];
    return mask === undefined ? sum : sum + growthBytes(column, mask);
  }, 0);
  const batch = createBatch(columns, { ...limits, growthBytes: growth });
  const views = batch.columns.map((buffer, at) => {
    const mask = masks[at];
    if (mask === undefined) return buffer;
    const masked = createMaskedView(buffer.column, leaving[at]!, mask, hash);
    return { view: (rows: number) => masked(buffer.view(rows)) };
  });
  const drained: Drained = {
    columns: views,
    get length() {
      return batch.length;
    },
    get overflows() {
      return batch.overflows;
    },
    clear: (keep) => batch.clear(keep),
  };
  return { columns: leaving, batch, drained };
}

const maskOf = (masks: Masks, column: string): Mask | undefined =>
  Object.entries(masks).find(([name]) => sameName(name, column))?.[1];

function hashOf(key: Uint8Array | undefined): HashValue {
  if (key !== undefined) return createHash(key);
  throw new SallyportError("agent.mask_key", "This agent has no mask key to hash with.");
}

const noHash: HashValue = () => {
  throw new TypeError("No column is hashed.");
};
