/** The connector for SQL Server: `sql.table` and `sql.query`, one connection for each. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Connector } from "../connector.ts";
import { openSession } from "./connect.ts";
import { DEFAULT_PACE, type Pace } from "./flow.ts";
import { readQuery } from "./query.ts";
import { readTable } from "./table.ts";

export function createMssqlConnector(pace: Partial<Pace> = {}): Connector {
  const paces = { ...DEFAULT_PACE, ...pace };
  return async (target, operation, grant, limits, output, signal) => {
    try {
      const session = await openSession(target, limits.cellBytes, signal);
      try {
        if (operation.op === "sql.table" && grant.kind === "table") {
          return await readTable(session, operation, grant, limits, output, paces, signal);
        }
        if (operation.op === "sql.query" && grant.kind !== "table") {
          return await readQuery(session, operation, grant, limits, output, paces, signal);
        }
        throw new SallyportError("request.invalid", `SQL Server does not serve ${operation.op} under this rule.`);
      } finally {
        await session.close();
      }
    } catch (error) {
      if (error instanceof SallyportError) throw error;
      if (signal.aborted) throw new SallyportError("request.cancelled", "The request was cancelled.", {}, error);
      throw error;
    }
  };
}

export const mssqlConnector: Connector = createMssqlConnector();
