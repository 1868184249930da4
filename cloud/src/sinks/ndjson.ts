/**
 * Lines of JSON: one object a row, columns in their order. 64-bit integers and decimals are strings, times ISO with 7
 * digits, binary base64, UUIDs lower case; docs/api.md has the table.
 *
 * It reads the columns that the session's own check has decompressed and bounded (`shared/src/rows/check.ts`), and does
 * so in this thread: no foreign reader sees them, nothing here allocates by what they say, and other work has its turn
 * after each 64 KiB of text (about a millisecond). Measured with seven columns: 2.2 to 3.2 CPU-seconds a million rows
 * (205 MB of text), of which a thread as Parquet has would free this one, for 0.2 more to decompress and check again.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { BlobSinkOptions } from "./arrow.ts";
import { stageFile } from "./blob.ts";
import { jsonLines } from "./ndjson-lines.ts";
import { enterFreely, type Sink } from "./sink.ts";

export function ndjsonSink({ container, blockBytes, random }: BlobSinkOptions): Sink {
  return {
    extension: "ndjson",
    enter: enterFreely,
    async open(path) {
      const file = stageFile(container, path, blockBytes, random);
      let names: readonly string[] = [];
      let rows = 0;
      return {
        async schema({ columns }: { readonly columns: readonly Column[] }) {
          names = columns.map(({ name }) => name);
        },
        async batch(batch) {
          for (const piece of jsonLines(names, batch.columns)) {
            await file.append(piece);
            await nextTurn();
          }
          rows += batch.rows;
        },
        checkpoint: () => file.endBlock(),
        async commit() {
          return { path, rows, ...(await file.commit()) };
        },
        abort: () => file.abort(),
      };
    },
  };
}
