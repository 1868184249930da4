/** What a format gives to a run: parts that are opened, filled between checkpoints, and committed under their name. */
import type { ColumnView } from "@sallyport/shared/rows/layout.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";

/** A committed part, as slices and manifests list it. */
export interface PartFile {
  readonly path: string;
  /** Over the whole file, base64url. */
  readonly sha256: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface Batch {
  /** One encapsulated Arrow IPC record batch message, checked. */
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly decompressedBytes: number;
  /** The same, decompressed, in the schema's order. */
  readonly columns: readonly ColumnView[];
}

/**
 * One part: `schema` once, then batches and checkpoints, then `commit` or `abort`. Promises are the back-pressure: each
 * settles when its bytes are staged or in a bounded buffer. Nothing is visible before `commit`.
 */
export interface Part {
  /** The encapsulated Arrow IPC schema message, and its columns. */
  schema(schema: { readonly bytes: Uint8Array; readonly columns: readonly Column[] }): Promise<void>;
  batch(batch: Batch): Promise<void>;
  /** Everything so far is a whole number of the source's checkpoints. */
  checkpoint(): Promise<void>;
  /** Closes the file and commits it. Throws `storage.conflict` or `storage.failed`. */
  commit(): Promise<PartFile>;
  /** Drops what was staged; the service forgets it after a week. Never throws. */
  abort(): Promise<void>;
}

export interface Sink {
  /** Of the part's file, without a dot. */
  readonly extension: string;
  /**
   * A place among those who write this format in this process; the answer gives it back. It is asked for before the source is, so that
   * nobody's query runs and waits. @throws sink.busy, request.cancelled when aborted
   */
  enter(signal: AbortSignal): Promise<() => void>;
  /** One part at a time for each place. */
  open(path: string): Promise<Part>;
}

/** `enter` of what takes no more memory than a few blocks. */
export const enterFreely: Sink["enter"] = async () => () => undefined;
