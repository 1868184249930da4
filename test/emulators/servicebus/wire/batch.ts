import rhea from "rhea";
import type { Message } from "../broker/message.ts";
import { readMessage } from "./message.ts";
import { SECTION, splitSections } from "./sections.ts";

/** The message format of one plain AMQP message. */
export const SINGLE_FORMAT = 0;

/** Microsoft's format for several messages in one transfer: one data section for each encoded message. */
export const BATCH_FORMAT = 0x80013700;

/**
 * Reads a transfer, single or batch.
 *
 * @throws Error when any part of it is not an AMQP message: a batch is taken whole or not at all
 */
export function readTransfer(bytes: Buffer, format: number, newId: () => string = rhea.generate_uuid): Message[] {
  if (format === SINGLE_FORMAT) return [readMessage(bytes, newId)];
  if (format !== BATCH_FORMAT) throw new Error(`unknown message format ${format}`);
  const parts = splitSections(bytes).filter(({ code }) => code === SECTION.data);
  if (parts.length === 0) throw new Error("a batch without messages");
  return parts.map(({ value }) => readMessage(value.value, newId));
}
