/** A checked batch written again as one uncompressed Arrow IPC stream, for readers that know no compressed bodies. */

import { encodeViews } from "./arrow.ts";
import type { CheckedBatch } from "./check.ts";
import { END_OF_STREAM } from "./ipc.ts";

/** `schema` is the schema message of these batches. The stream is for one reader, and not compressed. */
export function assembleIpc(schema: Uint8Array, ...batches: readonly Pick<CheckedBatch, "columns">[]): Uint8Array {
  return Buffer.concat([schema, ...batches.map(({ columns }) => encodeViews(columns, "plain")), END_OF_STREAM]);
}
