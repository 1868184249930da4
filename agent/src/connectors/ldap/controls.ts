/** Controls that go along with a request [RFC 4511 4.1.11]. */
import { BerWriter, Control, type ControlOptions } from "ldapts";

export const CONTROL = {
  /** [RFC 2696] */
  paged: "1.2.840.113556.1.4.319",
  /** Which parts of a security descriptor are meant [MS-ADTS 3.1.1.3.4.1.11]. */
  descriptorFlags: "1.2.840.113556.1.4.801",
} as const;

/** One whose value is written already; `ldapts` wants a class for each. */
class WrittenControl extends Control {
  readonly #value: Buffer | undefined;
  constructor(oid: string, value: Buffer | undefined, options: ControlOptions) {
    super(oid, options);
    this.#value = value;
  }
  override writeControl(writer: BerWriter): void {
    if (this.#value !== undefined) writer.writeBuffer(this.#value, 0x04);
  }
}

/** @param value BER, where the control has any. Critical: a server that does not know it refuses, and ignores it never. */
export const critical = (oid: string, value?: Buffer): Control => new WrittenControl(oid, value, { critical: true });

/** @param cookie of the page before; empty for the first one */
export function pagedControl(size: number, cookie: Buffer): Control {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(size);
  writer.writeBuffer(cookie, 0x04);
  writer.endSequence();
  return critical(CONTROL.paged, writer.buffer);
}

/** The parts of [MS-ADTS 3.1.1.3.4.1.11]: 1 owner, 2 group, 4 DACL, 8 SACL. */
export function descriptorFlagsControl(flags: number): Control {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(flags);
  writer.endSequence();
  return critical(CONTROL.descriptorFlags, writer.buffer);
}
