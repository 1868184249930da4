/** All sinks by the name a pull's definition gives. */
import type { SinkFormat } from "@sallyport/shared/schema/pull.ts";
import { arrowSink, type BlobSinkOptions } from "./arrow.ts";
import { ndjsonSink } from "./ndjson.ts";
import { parquetSink } from "./parquet.ts";
import type { Sink } from "./sink.ts";

export function openSinks(options: BlobSinkOptions): Readonly<Record<SinkFormat, Sink>> {
  return { parquet: parquetSink(options), arrow: arrowSink(options), ndjson: ndjsonSink(options) };
}
