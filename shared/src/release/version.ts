/** Versions of Semantic Versioning 2.0.0, without build metadata, which has no order. */
import { z } from "zod";

const NUMBER = "(?:0|[1-9][0-9]{0,8})";
const PART = `(?:${NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)`;
const VERSION = new RegExp(`^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${PART}(?:\\.${PART})*))?$`);

/** `1.2.3` or `1.2.3-rc.1`; it names a folder, so it is short and has no other characters. */
export const version = z.string().max(40).regex(VERSION, "write a version as 1.2.3 or 1.2.3-rc.1");

/** Less than 0 when `a` comes before `b` (semver.org, section 11). Both must be versions. */
export function compareVersions(a: string, b: string): number {
  const [numbersA, restA] = partsOf(a);
  const [numbersB, restB] = partsOf(b);
  for (let at = 0; at < 3; at += 1) {
    const difference = (numbersA[at] ?? 0) - (numbersB[at] ?? 0);
    if (difference !== 0) return difference;
  }
  // A pre-release comes before its release.
  if (restA.length === 0 || restB.length === 0) return restB.length - restA.length;
  for (let at = 0; at < Math.min(restA.length, restB.length); at += 1) {
    const difference = comparePart(restA[at]!, restB[at]!);
    if (difference !== 0) return difference;
  }
  return restA.length - restB.length;
}

function partsOf(text: string): readonly [numbers: readonly number[], rest: readonly string[]] {
  const [, major, minor, patch, rest] = VERSION.exec(text) ?? [];
  return [[major, minor, patch].map(Number), rest === undefined ? [] : rest.split(".")];
}

const isNumber = (part: string): boolean => /^[0-9]+$/.test(part);

function comparePart(a: string, b: string): number {
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
