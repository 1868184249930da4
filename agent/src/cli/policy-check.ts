/** `sallyport policy check`: every mistake with its line, what else its owner should know, and with --online what reads masked tables. */

import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type MssqlConnection, type Policy, splitAddress } from "@sallyport/shared/schema/policy.ts";
import { ConfigError } from "../config-error.ts";
import { loadScript } from "../executor/load.ts";
import { checkPolicy, digestPolicy } from "../policy/file.ts";
import { maskedTables } from "../policy/masked-tables.ts";
import { askSecret } from "./ask.ts";
import { UsageError } from "./exit.ts";
import { type PolicyOptions, readPolicyFile } from "./policy-file.ts";
import { counted, print } from "./print.ts";
import { connectionOf, loginOf } from "./which-login.ts";

interface CheckOptions extends PolicyOptions {
  readonly online?: true;
  readonly connection?: string;
  readonly login?: string;
}

const ONLINE_SECONDS = 60;

export async function check(file: string | undefined, options: CheckOptions): Promise<void> {
  const { path, text } = readPolicyFile(file, options);
  const { policy, notes } = checkPolicy(text, new Date());
  const connections = Object.values(policy.connections);
  const rules = connections.reduce((sum, { rules: list }) => sum + list.length, 0);
  const digest = digestPolicy(text);
  const readers = options.online === true ? await readersOf(policy, path, options) : undefined;
  const noted = notes.map(({ line, path: at, message }) => `line ${line}, ${at}: ${message}`);
  print(
    options,
    { ok: true, digest, connections: connections.length, rules, notes, ...(readers === undefined ? {} : { readers }) },
    [
      `${path} is valid: ${counted(connections.length, "connection")}, ${counted(rules, "rule")}, sha256:${digest}`,
      ...noted,
      ...(readers ?? []).flatMap(linesOf),
    ],
  );
}

interface Readers {
  readonly connection: string;
  /** Views and procedures that read a masked table, themselves or through another. */
  readonly found: readonly { readonly name: string; readonly kind: string; readonly reads: string }[];
}

const linesOf = ({ connection, found }: Readers): string[] =>
  found.length === 0
    ? [`connection ${connection}: the login sees no view and no procedure that reads a masked table`]
    : found.map(
        ({ name, kind, reads }) => `connection ${connection}: ${kind} ${name} reads ${reads}, and no mask follows`,
      );

async function readersOf(policy: Policy, path: string, options: CheckOptions): Promise<readonly Readers[]> {
  const masked = Object.entries(policy.connections).flatMap(([name, connection]) =>
    connection.kind === "mssql" && (options.connection ?? name) === name && maskedTables(connection).length > 0
      ? [{ name, connection }]
      : [],
  );
  if (options.connection !== undefined) connectionOf(policy, options.connection);
  // One password is asked for, or piped in.
  if (masked.length > 1) throw new UsageError("several connections mask: say which with --connection");
  const [only] = masked;
  return only === undefined ? [] : [await readersThere(only.name, only.connection, path, options)];
}

async function readersThere(
  name: string,
  connection: MssqlConnection,
  path: string,
  { login }: CheckOptions,
): Promise<Readers> {
  const { logins, database, tls, address } = connection;
  const user = loginOf(name, logins, login);
  const password = await askSecret(`Password of ${user} at ${address} (not shown): `);
  if (password === "") throw new UsageError("no password was given");
  const { readersOfTables } = await (await loadScript()).loadReaders();
  const target = {
    ...{ connection: name, ...splitAddress(address), database, refuseOverPrivileged: false, requestId: "policy-check" },
    tls: { mode: tls.mode, ...(tls.ca === undefined ? {} : { caPem: readAuthorities(tls.ca, path) }) },
    credential: { user, password, signIn: connection.signIn[0] ?? "sql" },
  };
  const signal = AbortSignal.timeout(ONLINE_SECONDS * 1000);
  try {
    return { connection: name, found: await readersOfTables(target, maskedTables(connection), signal) };
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SallyportError("connection.unreachable", `${address} did not answer within ${ONLINE_SECONDS} seconds.`);
  }
}

function readAuthorities(ca: string, policyPath: string): string {
  try {
    return readFileSync(isAbsolute(ca) ? ca : join(dirname(policyPath), ca), "utf8");
  } catch {
    throw new ConfigError(`${ca} cannot be read`);
  }
}
