/** A stack whose SQL Server is the test's own, so that it can be slowed, stalled and listened to; with flights in it. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LogEntry, startTds, type Tds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import type { Cleanup } from "../stack/cleanup.ts";
import { fillSample } from "../stack/sample.ts";
import { READER, type StackOn, startStackOn } from "../stack/start.ts";

export interface Flights {
  readonly sqlServer: Tds;
  readonly stack: StackOn;
}

export async function startFlights(folder: string, cleanup: Cleanup, flights: number): Promise<Flights> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const ca = join(folder, "sql-server-ca.pem");
  writeFileSync(ca, authority.caPem);
  const [password, readerPassword] = [randomBytes(18).toString("base64url"), randomBytes(18).toString("base64url")];
  const logins = [
    { name: "sa", password, rights: "sysadmin" as const },
    { name: READER, password: readerPassword, rights: "read" as const },
  ];
  const sqlServer = cleanup.add(await startTds({ tls, logins, databases: ["ERP"] }), (it) => it.close());
  const server = { host: "localhost", port: sqlServer.port, database: "ERP", user: "sa", password };
  const source = {
    schema: "dbo",
    reader: { user: READER, password: readerPassword },
    tls: { mode: "required", ca } as const,
    server: { ...server, ca: authority.caPem },
  };
  const stack = await startStackOn(source, { folder, cleanup });
  cleanup.add(await fillSample(source.server, flights, () => undefined), (it) => it.close());
  return { sqlServer, stack };
}

/** Statements that read the flights. */
export const readsFlights = ({ kind, ...entry }: LogEntry): boolean =>
  (kind === "rpc" || kind === "batch") && "text" in entry && /FROM \[dbo\]\.\[Flights\]/.test(entry.text);
