/** Rows of a request as a session takes them: texts, which the agent converts exactly, or refuses. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { drainBatch, type EncodedBatch, encodeSchema } from "@sallyport/shared/rows/arrow.ts";
import { type ColumnBuffer, createBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { RequestInput } from "@sallyport/shared/schema/api-requests.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import type { SessionInput } from "../sessions/session.ts";

type Cell = RequestInput["rows"][number][number];

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** @throws api.invalid for a binary column's value that is no base64 */
export function inputOf(names: readonly string[], input: RequestInput, limits: Limits): SessionInput {
  const binary = new Set(input.binary);
  const columns = names.map((name): Column => {
    const type = binary.has(name) ? ({ kind: "binary" } as const) : ({ kind: "utf8" } as const);
    return { name, type, nullable: true, source: "" };
  });
  const batch = createBatch(columns, { ...limits, batchBytes: 2 ** 19 });
  const batches: EncodedBatch[] = [];
  for (const row of input.rows) {
    for (const [index, value] of row.entries()) append(batch.columns[index]!, columns[index]!, value);
    batch.rowDone();
    if (batch.full) batches.push(...drainBatch(batch));
  }
  batches.push(...drainBatch(batch));
  return { schema: encodeSchema(columns), batches };
}

function append(to: ColumnBuffer, { name, type }: Column, value: Cell): void {
  if (value === null) to.appendNull();
  else if (type.kind !== "binary") to.appendString(String(value));
  else if (typeof value === "string" && BASE64.test(value)) {
    const bytes = Buffer.from(value, "base64");
    to.appendBytes(bytes, 0, bytes.byteLength);
  } else {
    throw new SallyportError("api.invalid", `A value of ${name} is not base64.`, { fields: [`input.rows: ${name}`] });
  }
}
