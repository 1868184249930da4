/** The connector for Active Directory: one operation over one connection of its own. Each operation has a file. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { readChanges } from "./changes/read.ts";
import { withDirectory } from "./open.ts";
import { readSchema } from "./schema.ts";
import { readSearch } from "./search.ts";
import { DEADLINES, type Deadlines, type DirectoryConnector } from "./target.ts";
import { writeObject } from "./write/write.ts";

export const ldapConnector: DirectoryConnector = connectorWithin(DEADLINES);

/** One that waits otherwise than usual. */
export function connectorWithin(deadlines: Deadlines): DirectoryConnector {
  return (target, operation, grant, _limits, output, signal) =>
    withDirectory(
      target,
      (directory) => {
        const reading = { directory, output, signal };
        if (operation.op === "ad.search" && grant.kind === "directoryRead")
          return readSearch(reading, operation, grant);
        if (operation.op === "ad.schema" && grant.kind === "directorySchema")
          return readSchema(reading, operation, grant);
        if (operation.op === "ad.changes" && grant.kind === "directoryRead")
          return readChanges(reading, operation, grant);
        if (operation.op === "ad.write" && grant.kind === "directoryWrite")
          return writeObject(reading, operation, grant);
        throw new SallyportError("request.invalid", `A directory does not serve ${operation.op} under this rule.`);
      },
      signal,
      deadlines,
    );
}
