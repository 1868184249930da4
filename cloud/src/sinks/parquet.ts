/**
 * Parquet files, written row group by row group in a thread of their own. A row group ends at a checkpoint once it has
 * enough rows, or wherever it reaches its bound in bytes, so that memory stays bounded whatever the source does.
 *
 * The bound: one row group of 32 MiB and one batch (16 MiB, or a single row) decompressed, twice as Arrow, once encoded:
 * below 256 MiB for a thread. A claim takes its place before it asks the source: at most two write at a time in this process.
 */
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { BlobSinkOptions } from "./arrow.ts";
import { stageFile } from "./blob.ts";
import type { FromWorker, ToWorker } from "./parquet-worker.ts";
import { createPermits } from "./permits.ts";
import type { Part, Sink } from "./sink.ts";

/** Beside this module, and like it a source or bundled. */
const WORKER = join(import.meta.dirname, `parquet-worker${extname(import.meta.filename)}`);

const GROUP_ROWS = 65_536;
const GROUP_BYTES = 32 * 2 ** 20;
const WRITERS = 2;
/** Then the run gives its turn up and comes again: a slow source must not make the runs of others fail. */
const PERMIT_WAIT_MS = 20_000;
const HEAP_MIB = 256;
const WASM_BYTES = 768 * 2 ** 20;

export function parquetSink({ container, blockBytes, random }: BlobSinkOptions): Sink {
  return {
    extension: "parquet",
    enter: createPermits(WRITERS, PERMIT_WAIT_MS),
    async open(path) {
      const thread = startThread();
      const file = stageFile(container, path, blockBytes, random);
      let rows = 0;
      let heldRows = 0;
      let heldBytes = 0;
      const endGroup = async () => {
        heldRows = 0;
        heldBytes = 0;
        await file.append(await thread.ask({ do: "row group" }));
      };
      return {
        schema: async ({ bytes }) => void (await thread.ask({ do: "schema", bytes })),
        async batch(batch) {
          // Before, not after: a row group that a checkpoint could still end is not cut without need.
          if (heldBytes > 0 && heldBytes + batch.decompressedBytes > GROUP_BYTES) await endGroup();
          await thread.ask({ do: "batch", bytes: batch.bytes });
          rows += batch.rows;
          heldRows += batch.rows;
          heldBytes += batch.decompressedBytes;
        },
        async checkpoint() {
          if (heldRows >= GROUP_ROWS || heldBytes >= GROUP_BYTES / 2) await endGroup();
        },
        async commit() {
          await file.append(await thread.ask({ do: "end" }));
          await thread.end();
          return { path, rows, ...(await file.commit()) };
        },
        async abort() {
          await thread.end();
          await file.abort();
        },
      } satisfies Part;
    },
  };
}

interface Thread {
  ask(request: ToWorker): Promise<Uint8Array>;
  /** Ends the thread, and with it all its memory. Never throws. */
  end(): Promise<void>;
}

function startThread(): Thread {
  const worker = new Worker(WORKER, {
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdout: true,
    stderr: true,
  });
  let pending: PromiseWithResolvers<Uint8Array> | undefined;
  let died: SallyportError | undefined;
  // A thread over its memory ends with ERR_WORKER_OUT_OF_MEMORY; nothing it held is used.
  const die = (cause: unknown) => {
    died ??= tooMuch(cause);
    pending?.reject(died);
  };
  worker.on("error", die);
  const exited = new Promise<void>((done) => {
    worker.once("exit", () => {
      die(undefined);
      done();
    });
  });
  worker.on("message", (reply: FromWorker) => {
    if (!reply.ok) pending?.reject(new SallyportError("protocol.batch", `Rows cannot be written: ${reply.message}`));
    else if (reply.memoryBytes > WASM_BYTES) pending?.reject(tooMuch(undefined));
    else pending?.resolve(reply.bytes);
  });
  let asking: Promise<unknown> = Promise.resolve();
  const askNow = (request: ToWorker): Promise<Uint8Array> => {
    if (died) throw died;
    pending = Promise.withResolvers<Uint8Array>();
    worker.postMessage(request);
    return pending.promise;
  };
  return {
    ask(request) {
      const asked = asking.then(() => askNow(request));
      asking = asked.catch(() => undefined);
      return asked;
    },
    async end() {
      await worker.terminate();
      await exited;
    },
  };
}

const tooMuch = (cause: unknown) =>
  new SallyportError("limit.memory", "Writing Parquet needs more memory than it may have.", {}, cause);
