/**
 * Up to where changes were read, as text: by which way, by which controller, up to where there, and how many objects there
 * were then, which deletions are held against.
 */
import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { MAX_WATERMARK_CHARS } from "@sallyport/shared/schema/ids.ts";

/** Of this controller's database as it is since it was last restored [MS-ADTS 3.1.1.1.9]: its id, and how far it had counted. */
export interface UpdateNumbers {
  readonly invocation: string;
  readonly usn: bigint;
}

interface Of {
  readonly place: string;
  readonly objects: number;
}

export type Watermark =
  /** The directory's own cookie [MS-ADTS 3.1.1.3.4.1.3], and who gave it, as far as the login is shown that. */
  | (Of & {
      readonly by: "dirSync";
      readonly cookie: Buffer;
      readonly giver: UpdateNumbers | undefined;
      /** The run read everything, after the cookie was given: what was new meanwhile may have been told of, and have gone on. */
      readonly readAll: boolean;
    })
  /** Update sequence numbers are each controller's own. */
  | (Of & UpdateNumbers & { readonly by: "usn" });

const NUMBERS = "([0-9a-f-]{36})\\/([0-9]{1,19})";
const DIR_SYNC = new RegExp(
  `^dirSync(All)?\\/([A-Za-z0-9_-]{16})\\/([0-9]{1,12})\\/([A-Za-z0-9_-]*)(?:\\/${NUMBERS})?$`,
);
const USN = new RegExp(`^usn\\/([A-Za-z0-9_-]{16})\\/([0-9]{1,12})\\/${NUMBERS}$`);

/** What the watermark is of: another base, or other classes, have another set of objects. */
export const placeOf = (base: string, classes: ReadonlySet<string>): string =>
  createHash("sha256")
    .update(JSON.stringify([base.toLowerCase(), [...classes].sort()]))
    .digest("base64url")
    .slice(0, 16);

/** Undefined where a run's watermark has no room for it. */
export function watermarkText(mark: Watermark): string | undefined {
  const { by, place, objects } = mark;
  const numbers = by === "dirSync" ? mark.giver : mark;
  const end = [
    ...(by === "dirSync" ? [mark.cookie.toString("base64url")] : []),
    ...(numbers === undefined ? [] : [numbers.invocation, numbers.usn]),
  ];
  const text = [by === "dirSync" && mark.readAll ? "dirSyncAll" : by, place, objects, ...end].join("/");
  return text.length > MAX_WATERMARK_CHARS ? undefined : text;
}

/** @throws SallyportError `request.invalid` */
export function parseWatermark(text: string): Watermark {
  const [, all, place, objects, cookie, id, number] = DIR_SYNC.exec(text) ?? [];
  if (place !== undefined && cookie !== undefined) {
    const giver = id === undefined || number === undefined ? undefined : { invocation: id, usn: BigInt(number) };
    const read = { objects: Number(objects), cookie: Buffer.from(cookie, "base64url"), readAll: all !== undefined };
    return { by: "dirSync", place, giver, ...read };
  }
  const [, where, count, invocation, usn] = USN.exec(text) ?? [];
  if (where !== undefined && invocation !== undefined && usn !== undefined) {
    return { by: "usn", place: where, objects: Number(count), invocation, usn: BigInt(usn) };
  }
  throw new SallyportError("request.invalid", "The watermark is not one of a directory.", { field: "operation.from" });
}
