/** The customer's SQL Server: the TDS emulator as a process of its own. */
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type Child, startChild } from "./children.ts";
import type { Source } from "./source.ts";

export interface SqlServer extends Child, Source {
  readonly readerPassword: string;
}

export interface SqlServerOptions {
  readonly tls: { readonly key: string; readonly cert: string };
  readonly ca: string;
  /** Where the same authority stands in a file, for the policy. */
  readonly caFile: string;
  readonly reader: string;
  readonly logFile: string;
}

const MAIN = fileURLToPath(new URL("../emulators/tds/main.ts", import.meta.url));
const DATABASE = "ERP";

/** @param signal gives the start up; afterwards `close` ends it */
export async function startSqlServer(
  { tls, ca, caFile, reader, logFile }: SqlServerOptions,
  signal: AbortSignal,
): Promise<SqlServer> {
  signal.throwIfAborted();
  const [password, readerPassword] = [randomBytes(18).toString("base64url"), randomBytes(18).toString("base64url")];
  const logins = [
    { name: "sa", password, rights: "sysadmin" },
    { name: reader, password: readerPassword, rights: "read" },
  ];
  const child = startChild({
    name: "SQL Server emulator",
    args: [MAIN],
    input: JSON.stringify({ port: 0, tls, logins, databases: [DATABASE] }),
    logFile,
  });
  const giveUp = () => void child.close();
  signal.addEventListener("abort", giveUp);
  const { port } = z.object({ port: z.int() }).parse(await child.ready);
  signal.removeEventListener("abort", giveUp);
  return {
    ...child,
    readerPassword,
    schema: "dbo",
    reader: { user: reader, password: readerPassword },
    tls: { mode: "required", ca: caFile },
    server: { host: "localhost", port, database: DATABASE, user: "sa", password, ca },
  };
}
