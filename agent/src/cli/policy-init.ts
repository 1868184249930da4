/** `sallyport policy init`: a policy to begin with. One that allows anything is never overwritten. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigError } from "../config-error.ts";
import { ownerOf, settlePolicy } from "../install/rights.ts";
import { ensureDataFolder } from "../install/windows/data-folder.ts";
import { parsePolicy } from "../policy/file.ts";
import { DENY_ALL, firstPolicy } from "../policy/first-policy.ts";
import { statePaths, writeFileDurably } from "../state.ts";
import { UsageError } from "./exit.ts";
import type { PolicyOptions } from "./policy-file.ts";
import { print } from "./print.ts";

interface InitOptions extends PolicyOptions {
  readonly mssql?: string;
  readonly tables?: readonly string[];
  readonly login: string;
  readonly name: string;
}

const ADDRESS = /^(?<address>.+)\/(?<database>[^/]+)$/u;

export function init(file: string | undefined, options: InitOptions): void {
  const paths = statePaths(resolve(options.state));
  const path = file === undefined ? paths.policy : resolve(file);
  const text = textOf(options);
  try {
    parsePolicy(text, new Date());
  } catch (error) {
    throw new UsageError(`that would be no valid policy: ${(error as Error).message.split("\n").slice(1).join("; ")}`);
  }
  if (file === undefined) ensureDataFolder(paths);
  if (allowsSomething(path)) {
    throw new ConfigError(`${path} has connections: name another file, and take from it what you need`);
  }
  try {
    writeFileDurably(path, text);
  } catch {
    throw new ConfigError(`${path} cannot be written`);
  }
  // The service's account has to read what root has written.
  const owner = file === undefined ? ownerOf(paths) : undefined;
  if (owner !== undefined) settlePolicy(paths, owner);
  const made = options.mssql === undefined ? "denies everything" : `one connection, ${options.name}`;
  print(options, { ok: true, path, connection: options.mssql === undefined ? null : options.name }, [
    `Written  ${path} (${made})`,
    "Next     edit it, then `sallyport policy check`",
  ]);
}

function textOf({ mssql, tables, login, name }: InitOptions): string {
  if (mssql === undefined) {
    if (tables !== undefined) throw new UsageError("--tables goes with --mssql");
    return DENY_ALL;
  }
  const found = ADDRESS.exec(mssql)?.groups;
  if (found === undefined) throw new UsageError("--mssql takes HOST:PORT/DATABASE, or HOST\\INSTANCE/DATABASE");
  if (tables === undefined) throw new UsageError("--mssql needs --tables: schema.name, `*` only after the dot");
  return firstPolicy({ name, address: found.address ?? "", database: found.database ?? "", login, tables });
}

/** A file that cannot be read as a policy is somebody's work too. */
function allowsSomething(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    return Object.keys(parsePolicy(readFileSync(path, "utf8"), new Date()).connections).length > 0;
  } catch {
    return true;
  }
}
