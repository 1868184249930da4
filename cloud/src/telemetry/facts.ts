/**
 * What spans and metrics may say: a closed table of facts, each with the shape of its values. Ids, codes, counts and words of
 * closed lists, so that no row, parameter, filter, statement or credential can get into them, whoever adds one in a hurry:
 * what has another shape is left out.
 */
import { isErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { nameId, randomId, runId } from "@sallyport/shared/schema/ids.ts";
import { runState } from "@sallyport/shared/schema/pull.ts";
import type { z } from "zod";

type Fact = string | number | boolean;
type Shape = (value: Fact) => boolean;

const like =
  (schema: z.ZodType): Shape =>
  (value) =>
    schema.safeParse(value).success;
const number: Shape = (value) => typeof value === "number" && Number.isFinite(value) && value >= 0;
const word =
  (pattern: RegExp): Shape =>
  (value) =>
    typeof value === "string" && pattern.test(value);

export const FACTS = {
  "sallyport.tenant": like(nameId),
  "sallyport.site": like(nameId),
  "sallyport.connection": like(nameId),
  "sallyport.pull": like(nameId),
  "sallyport.run": like(runId),
  "sallyport.agent": like(randomId),
  "sallyport.request": like(randomId),
  "sallyport.kind": word(/^(scheduled|manual|backfill)$/),
  "sallyport.state": like(runState),
  "sallyport.health": word(/^(serves|unreached|closed|silent)$/),
  "sallyport.operation": word(/^(agent|sql|ad)\.[a-z]{1,12}$/),
  "sallyport.code": (value: Fact) => typeof value === "string" && isErrorCode(value),
  "sallyport.complete": (value: Fact) => typeof value === "boolean",
  "sallyport.rows": number,
  "sallyport.bytes": number,
  "sallyport.batches": number,
  "sallyport.slice": number,
  "sallyport.deliveries": number,
  /** HTTP status of the relay's handshake. */
  "sallyport.status": number,
  "sallyport.lag_seconds": number,
  /** A name of OpenTelemetry's own (semantic conventions, "database"). */
  "db.system.name": word(/^microsoft\.sql_server$/),
} as const satisfies Readonly<Record<string, Shape>>;

export type FactName = keyof typeof FACTS;
export type Facts = Readonly<Partial<Record<FactName, Fact | undefined>>>;

/** Those facts that have the shape of their name. */
export function fitting(facts: Facts): Record<string, Fact> {
  const kept: Record<string, Fact> = {};
  for (const [name, value] of Object.entries(facts)) {
    const fits: Shape | undefined = Object.hasOwn(FACTS, name) ? FACTS[name as FactName] : undefined;
    if (value !== undefined && fits?.(value)) kept[name] = value;
  }
  return kept;
}
