/** The two ways in which a directory writes times, to what Arrow holds: days since 1970-01-01 and ticks of 100 ns. Pure. */

export interface Instant {
  readonly days: number;
  readonly ticks: number;
}

const TICKS_PER_DAY = 864_000_000_000n;
const MS_PER_DAY = 86_400_000;
/** 1601-01-01, where FILETIME begins, to 1970-01-01. */
const DAYS_1601_TO_1970 = 134_774;

const GENERALIZED = /^(\d{4})(\d{2})(\d{2})(\d{2})(?:(\d{2})(\d{2})?)?(?:[.,](\d{1,7}))?(Z|[+-]\d{2}(?:\d{2})?)$/;

/** `20261122113000.0Z` [RFC 4517 3.3.13]; undefined for what is none, or is finer than 100 ns. */
export function generalizedTime(text: string): Instant | undefined {
  const [, year, month, day, hour, minute = "00", second = "00", fraction = "", zone = ""] =
    GENERALIZED.exec(text) ?? [];
  if (year === undefined) return undefined;
  // A leap second is the first of the next minute.
  const leap = second === "60" ? 1000 : 0;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${leap === 0 ? second : "59"}Z`;
  const ms = Date.parse(iso);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== iso.slice(0, 10)) return undefined;
  // Of an hour or a minute where no smaller part stands before it: nobody writes such.
  if (fraction !== "" && GENERALIZED.exec(text)?.[6] === undefined) return undefined;
  const sign = zone.startsWith("-") ? -1 : 1;
  const offsetMs = zone === "Z" ? 0 : sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3, 5) || 0)) * 60_000;
  const wholeMs = ms + leap - offsetMs;
  const days = Math.floor(wholeMs / MS_PER_DAY);
  return { days, ticks: (wholeMs - days * MS_PER_DAY) * 10_000 + Number(fraction.padEnd(7, "0")) };
}

export function generalizedMs(text: string): number | undefined {
  const instant = generalizedTime(text);
  return instant === undefined ? undefined : instant.days * MS_PER_DAY + instant.ticks / 10_000;
}

/** The greatest count, with which an attribute says `never` [MS-ADTS 2.2.9, `accountExpires`]. */
const NEVER = 0x7fff_ffff_ffff_ffffn;

/**
 * Ticks since 1601 in decimal digits [MS-DTYP 2.3.3]. `never` for 0 and the greatest count, by which these attributes mean
 * that there is no such time; undefined for what is no count.
 */
export function fileTime(text: string): Instant | "never" | undefined {
  if (!/^[0-9]{1,19}$/.test(text)) return undefined;
  const ticks = BigInt(text);
  if (ticks === 0n || ticks === NEVER) return "never";
  if (ticks > NEVER) return undefined;
  const days = ticks / TICKS_PER_DAY;
  return { days: Number(days) - DAYS_1601_TO_1970, ticks: Number(ticks - days * TICKS_PER_DAY) };
}

/** `2300-01-01T00:00:00.0000001Z`, always with 7 digits; after 9999 with a sign and six digits for the year, as ISO 8601 expands it. */
export function isoText({ days, ticks }: Instant): string {
  const [day = ""] = new Date(days * MS_PER_DAY).toISOString().split("T");
  const [, clock = ""] = new Date(Math.floor(ticks / 10_000)).toISOString().split("T");
  return `${day}T${clock.slice(0, 8)}.${String(ticks % 10_000_000).padStart(7, "0")}Z`;
}

/** An instant in UTC as rows show it: `2026-11-22T11:30:00Z`, with up to 7 digits of a second. */
const ISO = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,7}))?Z?$/;

function isoTicks(text: string): { readonly ms: number; readonly fraction: string } | undefined {
  const [, day, clock, fraction = ""] = ISO.exec(text) ?? [];
  const ms = Date.parse(`${day}T${clock}Z`);
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day ? undefined : { ms, fraction };
}

/** To the form of RFC 4517; undefined for what is no instant. */
export function writeGeneralizedTime(text: string): string | undefined {
  const instant = isoTicks(text);
  if (instant === undefined) return undefined;
  const digits = new Date(instant.ms).toISOString().replace(/[-:T]/g, "").slice(0, 14);
  return `${digits}.${instant.fraction === "" ? "0" : instant.fraction}Z`;
}

/** To ticks since 1601; undefined for what is no instant, or before that. */
export function writeFileTime(text: string): string | undefined {
  const instant = isoTicks(text);
  if (instant === undefined) return undefined;
  const since1970 = BigInt(instant.ms) * 10_000n + BigInt(instant.fraction.padEnd(7, "0"));
  const ticks = since1970 + BigInt(DAYS_1601_TO_1970) * TICKS_PER_DAY;
  return ticks < 0n ? undefined : String(ticks);
}
