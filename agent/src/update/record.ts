/**
 * What the updater has done and is doing, in one file that is replaced as a whole: whoever starts it next goes on from there. That may
 * be the version of before: fields that it does not know are passed over, and so is how an update ended that it has no word for.
 */
import { rmSync } from "node:fs";
import { parseJson } from "@sallyport/shared/json.ts";
import { updateReport } from "@sallyport/shared/release/manifest.ts";
import { version } from "@sallyport/shared/release/version.ts";
import { z } from "zod";
import { readBounded } from "../regular-file.ts";
import { writeFileDurably } from "../state.ts";
import { inReserve, makeOwn } from "./files.ts";
import type { UpdatePlaces } from "./places.ts";

/**
 * `switching`: the new version lies complete in its folder, and the link may name either. `gating`: it was started, and has to
 * show that it works. `reverting`: the way back.
 */
const under = z.object({
  step: z.enum(["switching", "gating", "reverting"]),
  from: version,
  to: version,
  /** The command's, where there is one: a command that is still there after its end is not done twice. */
  wish: z.iso.datetime().nullable(),
  /** How often it was waited for health; a machine that dies each time is not tried for ever. */
  gates: z.int().min(0).max(100),
  why: z.string().max(500).nullable(),
});
export type Under = z.infer<typeof under>;

const last = z.object({
  version,
  from: version.nullable(),
  /** Null where a newer version has a word for it that this one does not know. */
  outcome: updateReport.shape.last.unwrap().shape.outcome.nullable().catch(null),
  why: z.string().max(500).nullable(),
  at: z.iso.datetime(),
  wish: z.iso.datetime().nullable(),
});
export type Last = z.infer<typeof last>;

const record = z.object({
  v: z.literal(1),
  under: under.nullable(),
  last: last.nullable(),
  /** What ran before, for `rollback`. */
  previous: version.nullable(),
  /** Never became healthy here; newest last. */
  failed: z.array(version).max(16),
});
export type UpdateRecord = z.infer<typeof record>;

const NONE: UpdateRecord = { v: 1, under: null, last: null, previous: null, failed: [] };
const MAX_BYTES = 64 * 1024;
/** The agent reads it, for what it reports. */
const READABLE_MODE = 0o644;

/** @throws Error for a file that no updater wrote: only an administrator can have, and it is not guessed at */
export function readRecord({ record: file }: UpdatePlaces): UpdateRecord {
  const bytes = readBounded(file, MAX_BYTES);
  return bytes === undefined ? NONE : record.parse(parseJson(bytes));
}

export function writeRecord(places: UpdatePlaces, value: UpdateRecord): void {
  makeOwn(places);
  const text = `${JSON.stringify(record.parse(value), null, 2)}\n`;
  inReserve(places, () => writeFileDurably(places.record, text, READABLE_MODE));
}

export const withFailed = ({ failed }: UpdateRecord, version: string): readonly string[] =>
  [...failed.filter((each) => each !== version), version].slice(-16);

const wish = z.discriminatedUnion("do", [
  z.object({ v: z.literal(1), do: z.literal("apply"), version, downgrade: z.boolean(), at: z.iso.datetime() }),
  z.object({ v: z.literal(1), do: z.literal("rollback"), version, at: z.iso.datetime() }),
]);
/** The owner's command. Its folder is why it is believed. */
export type StoredWish = z.infer<typeof wish>;
const pin = z.object({ v: z.literal(1), version, at: z.iso.datetime() });

const readAs = <T extends z.ZodType>(file: string, schema: T): z.infer<T> | undefined => {
  const bytes = readBounded(file, MAX_BYTES);
  return bytes === undefined ? undefined : schema.parse(parseJson(bytes));
};

export const readWish = ({ wish: file }: UpdatePlaces): StoredWish | undefined => readAs(file, wish);
export const readPin = ({ pin: file }: UpdatePlaces): string | undefined => readAs(file, pin)?.version;

export function writeWish(places: UpdatePlaces, value: StoredWish): void {
  makeOwn(places);
  writeFileDurably(places.wish, `${JSON.stringify(wish.parse(value))}\n`);
}

/** @param version undefined takes the pin away */
export function writePin(places: UpdatePlaces, version: string | undefined, now: Date): void {
  if (version === undefined) {
    rmSync(places.pin, { force: true });
    return;
  }
  makeOwn(places);
  const text = `${JSON.stringify(pin.parse({ v: 1, version, at: now.toISOString() }))}\n`;
  writeFileDurably(places.pin, text, READABLE_MODE);
}
