/**
 * Up to where changes were read: of which object, up to which of its versions, and when that was by the server's clock.
 * Another object (a table or capture instance that was made again) has another history.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";

export interface ChangeWatermark {
  readonly objectId: number;
  /** A version of Change Tracking in decimal, or an LSN as 20 hex digits. */
  readonly version: string;
  readonly at: Date;
}

type Kind = "ct" | "cdc";
const VERSION: Readonly<Record<Kind, RegExp>> = { ct: /^[0-9]{1,19}$/, cdc: /^[0-9a-f]{20}$/ };

export const watermarkText = (kind: Kind, { objectId, version, at }: ChangeWatermark): string =>
  `${kind}/${objectId}/${version}/${at.toISOString()}`;

/** @throws SallyportError `request.invalid`. */
export function parseWatermark(kind: Kind, text: string): ChangeWatermark {
  const [own, objectId = "", version = "", time = ""] = text.split("/");
  const at = new Date(time);
  if (own !== kind || !/^-?[0-9]{1,10}$/.test(objectId) || !VERSION[kind].test(version) || Number.isNaN(at.getTime())) {
    throw new SallyportError("request.invalid", "The watermark is not one of this mode.", { field: "operation.from" });
  }
  return { objectId: Number(objectId), version, at };
}

/** @throws SallyportError `sql.watermark_lost`. @param facts numbers of both sides */
export function lost(why: string, facts: Readonly<Record<string, string | number>>): never {
  throw new SallyportError("sql.watermark_lost", `The changes since the last run are not all there: ${why}.`, facts);
}

/** Warns when half of the time for which changes are kept had passed since the last run. */
export function retentionWarning(from: ChangeWatermark, now: Date, keptMinutes: number | undefined): Warning[] {
  const sinceMinutes = Math.floor((now.getTime() - from.at.getTime()) / 60_000);
  if (keptMinutes === undefined || sinceMinutes * 2 < keptMinutes) return [];
  return [{ code: "sql.retention", facts: { sinceMinutes, keptMinutes } }];
}
