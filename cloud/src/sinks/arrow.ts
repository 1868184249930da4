/**
 * Arrow IPC streams, passed through: schema message, batch messages as the agent encoded and compressed them, end marker.
 * One schema and one end marker a part: two streams in one file lose rows silently in some readers.
 */

import type { ContainerClient } from "@azure/storage-blob";
import { END_OF_STREAM } from "@sallyport/shared/rows/arrow.ts";
import { stageFile } from "./blob.ts";
import { enterFreely, type Sink } from "./sink.ts";

export interface BlobSinkOptions {
  readonly container: ContainerClient;
  readonly blockBytes: number;
  readonly random: (bytes: number) => Buffer;
}

export function arrowSink({ container, blockBytes, random }: BlobSinkOptions): Sink {
  return {
    extension: "arrows",
    enter: enterFreely,
    async open(path) {
      const file = stageFile(container, path, blockBytes, random);
      let rows = 0;
      return {
        schema: ({ bytes }) => file.append(bytes),
        async batch(batch) {
          rows += batch.rows;
          await file.append(batch.bytes);
        },
        checkpoint: () => file.endBlock(),
        async commit() {
          await file.append(END_OF_STREAM);
          return { path, rows, ...(await file.commit()) };
        },
        abort: () => file.abort(),
      };
    },
  };
}
