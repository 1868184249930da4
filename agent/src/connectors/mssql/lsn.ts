/** Log sequence numbers as 20 hex digits: such texts compare as the numbers do. */

const DIGITS = 20;

export const lsnText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").padStart(DIGITS, "0");
export const lsnBytes = (text: string): Buffer => Buffer.from(text, "hex");

const step = (text: string, by: bigint): string => {
  const value = BigInt(`0x${text}`) + by;
  return (value < 0n ? 0n : value).toString(16).padStart(DIGITS, "0");
};
export const lsnAfter = (text: string): string => step(text, 1n);
export const lsnBefore = (text: string): string => step(text, -1n);
