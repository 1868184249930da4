/**
 * What a session brings, as JSON: rows in memory up to 1 MiB of text, and from there on in a blob as NDJSON. Numbers keep
 * the digits that NDJSON gives them, so rows are text here and never parsed.
 */
import type { ContainerClient } from "@azure/storage-blob";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Consumer } from "../sessions/session.ts";
import { stageFile } from "../sinks/blob.ts";
import { jsonLines } from "../sinks/ndjson-lines.ts";

const INLINE_BYTES: number = 2 ** 20;
const BLOCK_BYTES = 2 ** 20;
const MAX_RESULT_BYTES = 4 * 2 ** 20;

export interface Collected {
  /** The text of `"columns":[…],"rows":[…],"result":…`, without braces; rows only where they are inline. */
  readonly members: string;
  readonly isInline: boolean;
  /** Commits the blob of rows that are too many to be inline; undefined where they are not. */
  commit(): Promise<string | undefined>;
}

export interface Collector {
  readonly consumer: Consumer;
  collected(): Collected;
  /** Drops what was staged. Never throws. */
  abandon(): Promise<void>;
}

/** `path`: of the blob of rows, should there be one. `mayServe` is told once the agent is known. */
export function collect(
  container: ContainerClient,
  path: string,
  random: (bytes: number) => Buffer,
  onAgent: (mayServe: () => Promise<boolean>) => void,
): Collector {
  let columns: readonly Column[] | undefined;
  let result: string | undefined;
  let inline: Buffer[] = [];
  let bytes = 0;
  let file: ReturnType<typeof stageFile> | undefined;

  const take = async (line: Uint8Array): Promise<void> => {
    bytes += line.byteLength;
    if (file === undefined && bytes > INLINE_BYTES) {
      file = stageFile(container, path, BLOCK_BYTES, random);
      for (const piece of inline) await file.append(piece);
      inline = [];
    }
    if (file === undefined) inline.push(Buffer.from(line));
    else await file.append(line);
  };

  return {
    consumer: {
      servedBy: onAgent,
      schema: async (schema) => {
        columns = schema.columns;
      },
      batch: async (batch) => {
        const names = (columns ?? []).map(({ name }) => name);
        for (const piece of jsonLines(names, batch.columns)) await take(piece);
      },
      checkpoint: async () => "continue",
      result: async (given) => {
        if (given.byteLength > MAX_RESULT_BYTES) throw new SallyportError("limit.bytes", "The result is too large.");
        result = Buffer.from(given).toString("utf8");
        JSON.parse(result); // what an agent says is a claim: this goes into an answer as it is
      },
    },
    collected() {
      const shown = columns?.map(({ name, source }) => ({ name, source }));
      const rows = Buffer.concat(inline).toString("utf8").trimEnd().replaceAll("\n", ",");
      const staged = file;
      return {
        isInline: staged === undefined,
        members: [
          ...(shown === undefined ? [] : [`"columns":${JSON.stringify(shown)}`]),
          ...(shown === undefined || staged !== undefined ? [] : [`"rows":[${rows}]`]),
          ...(result === undefined ? [] : [`"result":${result}`]),
        ].join(","),
        async commit() {
          await staged?.commit();
          return staged?.path;
        },
      };
    },
    abandon: async () => file?.abort(),
  };
}
