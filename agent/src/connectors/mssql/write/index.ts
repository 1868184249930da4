/** What changes a SQL Server: `sql.write` and `sql.call`, one connection for each. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Writer } from "../../connector.ts";
import { openSession } from "../connect.ts";
import { call } from "./call.ts";
import { write } from "./write.ts";

export const mssqlWriter: Writer = async (target, operation, grant, limits, streams, signal) => {
  try {
    const session = await openSession(target, limits.cellBytes, signal);
    try {
      if (operation.op === "sql.write" && grant.kind === "write") {
        return await write(session, operation, grant, streams, signal);
      }
      if (operation.op === "sql.call" && grant.kind === "call") {
        return await call(session, operation, grant, limits, streams.output, signal);
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
