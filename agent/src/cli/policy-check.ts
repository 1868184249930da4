/**
 * `sallyport policy check`: every mistake with its line, what else its owner should know; with --online what reads masked
 * tables, or what of a directory's rules is there.
 */

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
import { type DirectoryLook, lookAtDirectory } from "./policy-check-directory.ts";
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
  const online = options.online === true ? await askOnline(policy, path, options) : {};
  const noted = notes.map(({ line, path: at, message }) => `line ${line}, ${at}: ${message}`);
  print(options, { ok: true, digest, connections: connections.length, rules, notes, ...online }, [
    `${path} is valid: ${counted(connections.length, "connection")}, ${counted(rules, "rule")}, sha256:${digest}`,
    ...noted,
    ...(online.readers ?? []).flatMap(linesOf),
    ...(online.directories ?? []).flatMap(({ connection, found }) =>
      found.map(({ what, status, details }) => `connection ${connection}: ${what}: ${status}, ${details}`),
    ),
  ]);
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

interface Online {
  readonly readers?: readonly Readers[];
  readonly directories?: readonly DirectoryLook[];
}

/** What masks, and every directory. */
const isWorthALook = (connection: Policy["connections"][string]): boolean =>
  connection.kind === "activeDirectory" || maskedTables(connection).length > 0;

async function askOnline(policy: Policy, path: string, options: CheckOptions): Promise<Online> {
  if (options.connection !== undefined) connectionOf(policy, options.connection);
  const [only, ...others] = Object.entries(policy.connections).filter(
    ([name, connection]) => (options.connection ?? name) === name && isWorthALook(connection),
  );
  // One password is asked for, or piped in.
  if (others.length > 0)
    throw new UsageError("several connections mask or are directories: say which with --connection");
  if (only === undefined) return { readers: [] };
  const [name, connection] = only;
  if (connection.kind === "mssql") return { readers: [await readersThere(name, connection, path, options)] };
  const { user, password } = await askLogin(name, connection, options);
  const caPem = connection.tls.ca === undefined ? undefined : readAuthorities(connection.tls.ca, path);
  return {
    directories: [
      await inTime(connection.address, (signal) =>
        lookAtDirectory(name, connection, { user, password }, caPem, signal),
      ),
    ],
  };
}

async function askLogin(
  name: string,
  { logins, address }: Policy["connections"][string],
  { login }: CheckOptions,
): Promise<{ readonly user: string; readonly password: string }> {
  const user = loginOf(name, logins, login);
  const password = await askSecret(`Password of ${user} at ${address} (not shown): `);
  if (password === "") throw new UsageError("no password was given");
  return { user, password };
}

async function inTime<T>(address: string, look: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ONLINE_SECONDS * 1000);
  try {
    return await look(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SallyportError("connection.unreachable", `${address} did not answer within ${ONLINE_SECONDS} seconds.`);
  }
}

async function readersThere(
  name: string,
  connection: MssqlConnection,
  path: string,
  options: CheckOptions,
): Promise<Readers> {
  const { database, tls, address } = connection;
  const { user, password } = await askLogin(name, connection, options);
  const { readersOfTables } = await (await loadScript()).loadReaders();
  const target = {
    ...{ connection: name, ...splitAddress(address), database, refuseOverPrivileged: false, requestId: "policy-check" },
    tls: { mode: tls.mode, ...(tls.ca === undefined ? {} : { caPem: readAuthorities(tls.ca, path) }) },
    credential: { user, password, signIn: connection.signIn[0] ?? "sql" },
  };
  const masked = maskedTables(connection);
  return { connection: name, found: await inTime(address, (signal) => readersOfTables(target, masked, signal)) };
}

function readAuthorities(ca: string, policyPath: string): string {
  try {
    return readFileSync(isAbsolute(ca) ? ca : join(dirname(policyPath), ca), "utf8");
  } catch {
    throw new ConfigError(`${ca} cannot be read`);
  }
}
