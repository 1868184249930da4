/**
 * A line as it is read. What is written is a closed list; what is read may be of a newer version, which this one follows when an
 * update is taken back: its events and fields are passed over, and the chain is that of the bytes as they stand.
 */
import { parseJson } from "@sallyport/shared/json.ts";
import { z } from "zod";
import { chainFields, type JournalLine, journalFacts, MAX_LINE_BYTES } from "./line.ts";

/** `event` may be one that this version does not know. A field whose value it does not know is left out; one that it does not know at all is kept. */
export type ReadLine = Omit<JournalLine, "event"> & { readonly event: string };

const written: Readonly<Record<string, z.ZodType>> = journalFacts.shape;

const readLine = z.looseObject({
  ...Object.fromEntries(Object.entries(written).map(([name, field]) => [name, field.catch(undefined)])),
  ...chainFields,
  event: z.string().regex(/^[A-Za-z][A-Za-z0-9.]{0,63}$/),
}) as unknown as z.ZodType<ReadLine>;

/** Parses one line's bytes (LF included); undefined for what is not a journal's line. */
export function decodeLine(bytes: Uint8Array): ReadLine | undefined {
  if (bytes.byteLength > MAX_LINE_BYTES || bytes.at(-1) !== 0x0a) return undefined;
  return readLine.safeParse(parseJson(bytes)).data;
}
