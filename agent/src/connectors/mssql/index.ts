/** The connector for SQL Server: one operation over one connection of its own. Each operation has a file. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Operation } from "@sallyport/shared/schema/operations.ts";
import type { Connector, Grant, Outcome } from "../connector.ts";
import { readChanges } from "./changes.ts";
import { withSession } from "./connect.ts";
import { DEFAULT_PACE, type Pace } from "./flow.ts";
import { readQuery } from "./query.ts";
import { readSchema } from "./schema.ts";
import type { Session } from "./session.ts";
import type { Work } from "./slices.ts";
import { readTable } from "./table.ts";

export function createMssqlConnector(pace: Partial<Pace> = {}): Connector {
  const paces = { ...DEFAULT_PACE, ...pace };
  return (target, operation, grant, limits, output, signal) => {
    const work = (session: Session) => serve({ session, limits, output, pace: paces, signal }, operation, grant);
    return withSession(target, limits.cellBytes, work, signal);
  };
}

function serve(work: Work, operation: Operation, grant: Grant): Promise<Outcome> {
  if (operation.op === "sql.table" && grant.kind === "table") return readTable(work, operation, grant);
  if (operation.op === "sql.changes" && grant.kind === "table") return readChanges(work, operation, grant);
  if (operation.op === "sql.query" && (grant.kind === "statement" || grant.kind === "raw")) {
    return readQuery(work, operation, grant);
  }
  if (operation.op === "sql.schema" && grant.kind === "schema") return readSchema(work, operation, grant);
  throw new SallyportError("request.invalid", `SQL Server does not serve ${operation.op} under this rule.`);
}

export const mssqlConnector: Connector = createMssqlConnector();
