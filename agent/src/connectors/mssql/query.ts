/** `sql.query`: a statement of the owner's, or raw SQL where the owner allows that. One result set, no checkpoints. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Plan, SqlQuery } from "@sallyport/shared/schema/operations.ts";
import { sameName } from "../../names.ts";
import type { Grant, Outcome } from "../connector.ts";
import { arrowColumn, type TimestampForm } from "./catalog.ts";
import { columnSink, createPump, type Pump } from "./flow.ts";
import type { Work } from "./slices.ts";
import type { Statement } from "./statement.ts";
import { rawParameter, statementParameter } from "./statement-parameter.ts";
import { type RowFlow, streamRows } from "./stream.ts";
import { declarationOf, type WireColumn } from "./wire.ts";

type QueryGrant = Extract<Grant, { kind: "statement" | "raw" }>;

const PLAN: Plan = { to: null, key: [], isolation: "readCommitted", consistency: "statement" };

/** @throws SallyportError; `policy.denied` when a statement gives other columns than the policy lists. */
export async function readQuery(
  { session, limits, output, pace, signal }: Work,
  operation: SqlQuery,
  grant: QueryGrant,
): Promise<Outcome> {
  if (operation.plan !== undefined && JSON.stringify(operation.plan) !== JSON.stringify(PLAN)) {
    throw new SallyportError("request.plan_changed", "The run's plan is not one of a statement.");
  }
  let pump: Pump | undefined;
  const flow: RowFlow = {
    async columns(wire, guard) {
      const columns = columnsOf(wire, grant, operation.timestamps);
      const batch = await output.schema(columns, PLAN);
      pump = createPump(output, batch, pace, undefined);
      return columns.map((column, at) =>
        columnSink(wire[at]!, batch.columns[at], column, { guard, remember: false, cellBytes: limits.cellBytes }),
      );
    },
    row: () => pump!.row(),
    drain: () => pump!.drain(),
  };
  try {
    await streamRows(session, statementOf(operation, grant), flow, pace.idleMs, signal);
    if (pump === undefined) throw new SallyportError("request.invalid", "The statement gives no result set.");
    await pump.finish();
    return { complete: true };
  } finally {
    pump?.close();
  }
}

function statementOf(operation: SqlQuery, grant: QueryGrant): Statement {
  const given = Object.entries(operation.parameters);
  if (grant.kind === "raw") {
    return { sql: operation.raw ?? "", parameters: given.map(([name, value]) => rawParameter(name, value)) };
  }
  const parameters = Object.entries(grant.parameters).map(([name, type]) =>
    statementParameter(name, type, operation.parameters[name] ?? null),
  );
  return { sql: grant.sql, parameters };
}

/** Names come from the policy where it lists them; raw SQL must name its columns itself. */
function columnsOf(wire: readonly WireColumn[], grant: QueryGrant, timestamps: TimestampForm): readonly Column[] {
  const names = wire.map(({ colName }) => colName);
  if (grant.kind === "statement") {
    const { returns } = grant;
    if (names.length !== returns.length || !names.every((name, at) => sameName(name, returns[at] ?? ""))) {
      throw new SallyportError("policy.denied", "The statement gives other columns than the policy's `returns`.", {
        columns: names.length,
        expected: returns.length,
      });
    }
  } else if (names.some((name) => name === "") || new Set(names).size < names.length) {
    throw new SallyportError("request.invalid", "Each column of the result needs a name of its own: use AS.");
  }
  return wire.map((column, at) => {
    const name = grant.kind === "statement" ? grant.returns[at]! : names[at]!;
    return arrowColumn({ name, declared: declarationOf(column), nullable: true, timestamps });
  });
}
