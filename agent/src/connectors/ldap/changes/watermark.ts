/**
 * Up to where changes were read, as text: by which way, in which naming context or by which controller, up to where there,
 * and how many objects there were then, which deletions are held against.
 */
import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

export type Watermark =
  /** The directory's own cookie, which any controller of the domain takes [MS-ADTS 3.1.1.3.4.1.3]. */
  | { readonly by: "dirSync"; readonly place: string; readonly cookie: Buffer; readonly objects: number }
  /** Update sequence numbers are each controller's own, told apart by its invocation id [MS-ADTS 3.1.1.1.9]. */
  | {
      readonly by: "usn";
      readonly place: string;
      readonly invocation: string;
      readonly usn: bigint;
      readonly objects: number;
    };

const MAX_CHARS = 4096;
const DIR_SYNC = /^dirSync\/([A-Za-z0-9_-]{16})\/([0-9]{1,12})\/([A-Za-z0-9_-]*)$/;
const USN = /^usn\/([A-Za-z0-9_-]{16})\/([0-9]{1,12})\/([0-9a-f-]{36})\/([0-9]{1,19})$/;

/** What the watermark is of: another base, or other classes, have another set of objects. */
export const placeOf = (base: string, classes: ReadonlySet<string>): string =>
  createHash("sha256")
    .update(JSON.stringify([base.toLowerCase(), [...classes].sort()]))
    .digest("base64url")
    .slice(0, 16);

/** Undefined where a run's watermark has no room for it. */
export function watermarkText(mark: Watermark): string | undefined {
  const { by, place, objects } = mark;
  const end = by === "dirSync" ? mark.cookie.toString("base64url") : `${mark.invocation}/${mark.usn}`;
  const text = `${by}/${place}/${objects}/${end}`;
  return text.length > MAX_CHARS ? undefined : text;
}

/** @throws SallyportError `request.invalid` */
export function parseWatermark(text: string): Watermark {
  const [, place, objects, cookie] = DIR_SYNC.exec(text) ?? [];
  if (place !== undefined && cookie !== undefined) {
    return { by: "dirSync", place, objects: Number(objects), cookie: Buffer.from(cookie, "base64url") };
  }
  const [, where, count, invocation, usn] = USN.exec(text) ?? [];
  if (where !== undefined && invocation !== undefined && usn !== undefined) {
    return { by: "usn", place: where, objects: Number(count), invocation, usn: BigInt(usn) };
  }
  throw new SallyportError("request.invalid", "The watermark is not one of a directory.", { field: "operation.from" });
}
