/** Exact decimals: an unscaled BigInt and a scale, kept as 16 big-endian bytes that sort like the numbers. */
import { sqlError } from "./errors.ts";

const BIAS = 1n << 127n;
const LOW = (1n << 64n) - 1n;

export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

const POWERS: bigint[] = Array.from({ length: 80 }, (_, n) => 10n ** BigInt(n));
export const power10 = (n: number): bigint => POWERS[n] ?? 10n ** BigInt(n);

/** The form in which SQLite keeps a decimal. */
export function packDecimal(unscaled: bigint): Uint8Array {
  const biased = unscaled + BIAS;
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeBigUInt64BE(biased >> 64n, 0);
  bytes.writeBigUInt64BE(biased & LOW, 8);
  return bytes;
}

export function unpackDecimal(packed: Uint8Array): bigint {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  return (bytes.readBigUInt64BE(0) << 64n) + bytes.readBigUInt64BE(8) - BIAS;
}

/** Reads `12`, `-1.5`, `+.5`, `1.`; null when it is none of these. */
export function parseDecimal(text: string): Decimal | null {
  const match = /^\s*([+-]?)(\d*)(?:\.(\d*))?\s*$/.exec(text);
  if (match === null) return null;
  const [, sign = "", whole = "", fraction = ""] = match;
  if (whole === "" && fraction === "") return null;
  const magnitude = BigInt(`${whole}${fraction}`);
  return { unscaled: sign === "-" ? -magnitude : magnitude, scale: fraction.length };
}

export function formatDecimal(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The same number at another scale; digits that do not fit are rounded half away from zero, as SQL Server does. */
export function rescale(value: Decimal, scale: number): bigint {
  if (scale >= value.scale) return value.unscaled * power10(scale - value.scale);
  const divisor = power10(value.scale - scale);
  const half = divisor / 2n;
  return (value.unscaled < 0n ? value.unscaled - half : value.unscaled + half) / divisor;
}

/** A double's exact value, as SQL Server converts float to decimal: 17 significant digits. */
export function decimalOfFloat(value: number): Decimal {
  const [mantissa = "0", exponent = "0"] = value.toExponential(16).split("e");
  const parsed = parseDecimal(mantissa) ?? { unscaled: 0n, scale: 0 };
  const scale = parsed.scale - Number(exponent);
  return scale < 0 ? { unscaled: parsed.unscaled * power10(-scale), scale: 0 } : { unscaled: parsed.unscaled, scale };
}

/** Checks the precision. Throws error 8115. */
export function fitDecimal(unscaled: bigint, precision: number, from: string, to: string): bigint {
  const limit = power10(precision);
  if (unscaled >= limit || unscaled <= -limit) throw sqlError(8115, from, to);
  return unscaled;
}

/** Bytes of a decimal on the wire and on disk, its sign included. */
export function decimalBytes(precision: number): number {
  if (precision < 20) return precision < 10 ? 5 : 9;
  return precision < 29 ? 13 : 17;
}
