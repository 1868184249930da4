/** FreeTDS' command line clients (Debian's freetds-bin): a client of SQL Server that shares no code with ours. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface FreeTdsServer {
  readonly port: number;
  readonly caFile: string;
}

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FreeTds {
  /** Sends one batch by `tsql`. Rows are in `rowsOf(stdout)`. */
  tsql(login: FreeTdsLogin, batch: string): Promise<Ended>;
  /** `freebcp TABLE in|out FILE -c`, with the separators below. */
  bcp(login: FreeTdsLogin, table: string, way: "in" | "out", file: string): Promise<Ended>;
}

export interface FreeTdsLogin {
  readonly server: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Control characters, which no value of the tests holds. */
export const CELL_END = "\u001f";
export const ROW_END = "\u001e";
const TIMEOUT_MS = 30_000;

/** @param servers by the name that a login gives; certificates are checked against their authority and host name */
export function freeTds(folder: string, servers: Readonly<Record<string, FreeTdsServer>>): FreeTds {
  const file = join(folder, "freetds.conf");
  const sections = Object.entries(servers).map(
    ([name, { port, caFile }]) => `[${name}]
\thost = localhost
\tport = ${port}
\ttds version = 7.4
\tencryption = require
\tca file = ${caFile}
\tcheck certificate hostname = yes
\tclient charset = UTF-8
`,
  );
  writeFileSync(file, `[global]\n\ttext size = 2147483647\n${sections.join("")}`);
  const as = ({ server, user, password }: FreeTdsLogin) => ["-S", server, "-U", user, "-P", password];
  const separators = ["-t", CELL_END, "-r", ROW_END];
  return {
    tsql: (login, batch) =>
      run(file, "tsql", [...as(login), "-D", login.database, "-o", "fhq", ...separators], `${batch}\nGO\n`),
    bcp: (login, table, way, data) =>
      run(file, "freebcp", [`${login.database}.${table}`, way, data, "-c", ...as(login), ...separators], ""),
  };
}

async function run(configuration: string, command: string, args: readonly string[], input: string): Promise<Ended> {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8", FREETDSCONF: configuration },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { promise: exited, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", (error) =>
    reject(new Error(`${command} did not run: ${error.message} (apt-get install freetds-bin)`)),
  );
  child.once("close", (code) => resolve(code ?? -1));
  child.stdin.on("error", () => undefined); // it may end before it has read
  child.stdin.end(input);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { exitCode, stdout, stderr };
}

/** Cells of what was printed between the separators. */
export const rowsOf = (printed: string): string[][] =>
  printed
    .split(ROW_END)
    .slice(0, -1)
    .map((row) => row.split(CELL_END));
