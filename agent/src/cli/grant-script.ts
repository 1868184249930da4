/** `sallyport grant-script`: what to run in SQL Server, so that a login may do just what the policy allows. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { defaultStateDir } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { parsePolicy } from "../policy/file.ts";
import { grantScript, revokeScript, sessionsScript } from "../policy/grant-script.ts";
import { statePaths } from "../state.ts";
import { UsageError } from "./exit.ts";
import { fail, type OutputOptions, print } from "./print.ts";
import { JSON_OPTION } from "./verb.ts";
import { connectionOf, loginOf } from "./which-login.ts";

interface GrantOptions extends OutputOptions {
  readonly state: string;
  readonly policy?: string;
  readonly connection: string;
  readonly login?: string;
  readonly revoke?: true;
  readonly sessions?: true;
}

export function addGrantScript(program: Command): void {
  program
    .command("grant-script")
    .description("T-SQL that gives a login just what the policy allows; nothing is contacted")
    .requiredOption("--connection <name>", "a connection of the policy")
    .option("--login <name>", "which of its logins, where it has several")
    .addOption(new Option("--revoke", "what takes the rights back").conflicts("sessions"))
    .option("--sessions", "what finds the agent's sessions in the server, and ends those of one request")
    .option("--policy <file>", "another policy file")
    .option("--state <dir>", "the agent's folder, whose policy.yaml is read", defaultStateDir())
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `
No password is in it: a SQL login is made with a random one that nobody knows, to be replaced with ALTER LOGIN.

Example:
  sallyport grant-script --connection erp > grant.sql
  sallyport grant-script --connection erp --revoke
  sallyport grant-script --connection erp --sessions`,
    )
    .action((options: GrantOptions) => {
      try {
        const sql = scriptOf(options);
        print(options, { sql }, sql.trimEnd().split("\n"));
      } catch (error) {
        fail(error, options);
      }
    });
}

/** @throws UsageError, ConfigError, or SallyportError `policy.invalid`. */
function scriptOf(options: GrantOptions): string {
  const { connection: name, login: wanted } = options;
  const path = options.policy === undefined ? statePaths(resolve(options.state)).policy : resolve(options.policy);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new ConfigError(`${path} cannot be read`);
  }
  const connection = connectionOf(parsePolicy(text, new Date()), name);
  if (connection.kind !== "mssql") throw new UsageError(`${name} is no SQL Server: there is nothing to grant by T-SQL`);
  if (options.sessions) return sessionsScript(name);
  const login = loginOf(name, connection.logins, wanted);
  return options.revoke ? revokeScript(name, connection, login) : grantScript(name, connection, login);
}
