/**
 * The thread in which rows of tenants become Parquet: what an agent sent is decoded here only, under memory limits, and
 * the thread ends with its part. Holds one row group of batches at most.
 */
import { parentPort } from "node:worker_threads";
import { assembleIpc } from "@sallyport/shared/rows/assemble.ts";
import { type CheckedBatch, checkBatch } from "@sallyport/shared/rows/check.ts";
import { decodeSchema } from "@sallyport/shared/rows/schema.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { Compression, Table, WriterPropertiesBuilder, wasmMemory, writeParquet } from "parquet-wasm";
import { stitchParquet } from "./parquet-stitch.ts";

/** A request to the thread. Each is answered once, in order. */
export type ToWorker =
  | { readonly do: "schema"; readonly bytes: Uint8Array }
  | { readonly do: "batch"; readonly bytes: Uint8Array }
  /** Writes what is held as one row group; answers its bytes. */
  | { readonly do: "row group" }
  /** Answers the footer. */
  | { readonly do: "end" };
export type FromWorker =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly memoryBytes: number }
  | { readonly ok: false; readonly message: string };

/** The session has checked cells and rows against the request; here only the format's own bounds count. */
const CHECKED = { cellBytes: 2 ** 30, rowBytes: 2 ** 30 };
const NOTHING = new Uint8Array(0);

const stitch = stitchParquet();
let schema: Uint8Array = NOTHING;
let columns: readonly Column[] = [];
let held: CheckedBatch[] = [];
let groups = 0;

function writeGroup(): Uint8Array {
  // A file of no rows has a footer too: an empty part is still a Parquet file.
  const table = Table.fromIPCStream(assembleIpc(schema, ...held));
  held = [];
  groups += 1;
  const properties = new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setCreatedBy("sallyport")
    // Rows per group: as many as were given, whatever the writer's own default is.
    .setMaxRowGroupSize(2 ** 31 - 1)
    .setKeyValueMetadata(new Map([["sallyport.sources", JSON.stringify(sources())]]))
    .build();
  // Both arguments are freed by the call.
  return stitch.add(writeParquet(table, properties));
}

const sources = () => Object.fromEntries(columns.map(({ name, source }) => [name, source]));
const isUuid = ({ type }: Column) => type.kind === "fixedBinary" && type.uuid === true;

function answer(request: ToWorker): Uint8Array {
  switch (request.do) {
    case "schema":
      schema = request.bytes;
      columns = decodeSchema(schema).columns;
      return NOTHING;
    case "batch":
      held.push(checkBatch(request.bytes, columns, CHECKED));
      return NOTHING;
    case "row group":
      return held.length > 0 ? writeGroup() : NOTHING;
    case "end": {
      const last = held.length > 0 || groups === 0 ? writeGroup() : NOTHING;
      return Buffer.concat([last, stitch.end(columns.filter(isUuid).map(({ name }) => name))]);
    }
    default:
      throw request satisfies never;
  }
}

parentPort?.on("message", (request: ToWorker) => {
  let reply: FromWorker;
  try {
    // A copy with a buffer of its own, which is then handed over.
    const bytes = Uint8Array.from(answer(request));
    reply = { ok: true, bytes, memoryBytes: wasmMemory().buffer.byteLength };
  } catch (thrown) {
    reply = { ok: false, message: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  parentPort?.postMessage(reply, reply.ok ? [reply.bytes.buffer as ArrayBuffer] : []);
});
