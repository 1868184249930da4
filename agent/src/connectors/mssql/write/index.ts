/** What changes a SQL Server: `sql.write` and `sql.call`, one connection for each. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Outcome, Writer } from "../../connector.ts";
import { withSession } from "../connect.ts";
import type { Session } from "../session.ts";
import { call } from "./call.ts";
import { write } from "./write.ts";

export const mssqlWriter: Writer = (target, operation, grant, limits, streams, signal) => {
  const work = (session: Session): Promise<Outcome> => {
    if (operation.op === "sql.write" && grant.kind === "write") {
      return write(session, operation, grant, streams, signal);
    }
    if (operation.op === "sql.call" && grant.kind === "call") {
      return call(session, operation, grant, limits, streams.output, signal);
    }
    throw new SallyportError("request.invalid", `SQL Server does not serve ${operation.op} under this rule.`);
  };
  return withSession(target, limits.cellBytes, work, signal);
};
