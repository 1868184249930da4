/**
 * A batch of which some columns leave masked. Each masked value is replaced as its row is complete, so that what is counted,
 * cut into batches and sent has the size of what leaves: the size of what was read would tell of it.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type BatchLimits, createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Masks } from "@sallyport/shared/schema/mask.ts";
import { createMaskedWriter, maskedColumn } from "./column.ts";
import { createHash, type HashValue } from "./hash.ts";
import { maskOf } from "./mask-of.ts";

export interface Masking {
  readonly masks: Masks;
  /** The site's mask key; needed where one of them is `hash`. */
  readonly key: Uint8Array | undefined;
}

export interface MaskedBatch {
  /** The columns as they leave. */
  readonly columns: readonly Column[];
  /** For the connector: its columns take values as they are read, and everything else is of what leaves. */
  readonly batch: RowBatch;
  /** What is encoded. */
  readonly drained: RowBatch;
}

/** @throws policy.denied for a mask that does not fit its column's type, agent.mask_key where a key is needed and not there */
export function createMaskedBatch(columns: readonly Column[], masking: Masking, limits: BatchLimits): MaskedBatch {
  const masks = columns.map((column) => maskOf(masking.masks, column.name));
  const hash = masks.includes("hash") ? hashOf(masking.key) : noHash;
  const leaving = columns.map((column, at) => {
    const mask = masks[at];
    return mask === undefined ? column : maskedColumn(column, mask);
  });
  const drained = createBatch(leaving, limits);
  const isMasked = (_: Column, at: number): boolean => masks[at] !== undefined;
  // The row being read; the limits are for its values as they are read.
  const read = createBatch(columns.filter(isMasked), limits);
  const readInto = read.columns.values();
  const filled = drained.columns.map((buffer, at) => (masks[at] === undefined ? buffer : readInto.next().value!));
  const writers = filled.flatMap((buffer, at) => {
    const mask = masks[at];
    return mask === undefined ? [] : [createMaskedWriter(buffer, mask, drained.columns[at]!, hash)];
  });
  const batch: RowBatch = {
    columns: filled,
    get length() {
      return drained.length;
    },
    get byteLength() {
      return drained.byteLength;
    },
    get full() {
      return drained.full;
    },
    get overflows() {
      return drained.overflows;
    },
    rowDone() {
      read.rowDone();
      for (const write of writers) write();
      read.clear();
      drained.rowDone();
    },
    takeLastKey: (names) => drained.takeLastKey(names),
    clear(keep) {
      read.clear();
      drained.clear(keep);
    },
  };
  return { columns: leaving, batch, drained };
}

function hashOf(key: Uint8Array | undefined): HashValue {
  if (key !== undefined) return createHash(key);
  throw new SallyportError("agent.mask_key", "This agent has no mask key to hash with.");
}

const noHash: HashValue = () => {
  throw new TypeError("No column is hashed.");
};
