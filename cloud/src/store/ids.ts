/** Row keys and public ids of runs and wake entries, and the way back. */
import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { nameId, runId } from "@sallyport/shared/schema/ids.ts";

const LATEST_MS = 9_999_999_999_999;

/** `{inverted time}-{id}`: the newest has the smallest key, so that a list starts with it. */
export function newestFirst(nowMs: number, random: (bytes: number) => Buffer): string {
  return `${String(LATEST_MS - nowMs).padStart(13, "0")}-${random(4).toString("hex")}`;
}

export const newRunKey: (nowMs: number, random: (bytes: number) => Buffer) => string = newestFirst;

export const publicRunId = (pull: string, run: string): string => `${pull}.${run}`;

/** A public run id's pull and key. Throws `api.not_found` for what cannot be one. */
export function splitRunId(id: string): { readonly pull: string; readonly run: string } {
  if (!runId.safeParse(id).success) throw new SallyportError("api.not_found", "There is no such run.");
  const dot = id.indexOf(".");
  return { pull: id.slice(0, dot), run: id.slice(dot + 1) };
}

/** Throws `api.not_found` for names that cannot be a tenant's and a pull's: they come from addresses. */
export function pullPartition(tenant: string, pull: string): string {
  if (!nameId.safeParse(tenant).success || !nameId.safeParse(pull).success) {
    throw new SallyportError("api.not_found", "There is no such pull.");
  }
  return `${tenant}|${pull}`;
}
export const runRow = (run: string): string => `run|${run}`;
export const sliceRow = (run: string, slice: number): string => `run|${run}|slice|${String(slice).padStart(6, "0")}`;
export const cancelRow = (run: string): string => `run|${run}|cancel`;
export const outRow = (seq: number, run: string): string => `out|${padded(seq)}-${run}`;
/** `endedAt` as ISO text, so that what rests longest stands first. */
export const restRow = (endedAt: string, run: string): string => `rest|${endedAt}|${run}`;
/** Twenty digits, as in the manifests' names. */
export const padded = (seq: number): string => String(seq).padStart(20, "0");

export const WAKE_PARTITIONS: readonly string[] = Array.from({ length: 16 }, (_, index) => `w${index}`);

export function wakePartition(tenant: string, pull: string): string {
  return `w${createHash("sha256").update(pullPartition(tenant, pull)).digest()[0]! % 16}`;
}
