/** `sallyport policy init|check|test|suggest`: the words of the verbs; what they do has a file each. */
import { type Command, Option } from "commander";
import { defaultStateDir } from "../config.ts";
import type { PolicyOptions } from "./policy-file.ts";
import { fail } from "./print.ts";

type Act<Options> = (file: string | undefined, options: Options) => void | Promise<void>;

const guarded =
  <Options extends PolicyOptions>(load: () => Promise<Act<Options>>) =>
  async (file: string | undefined, options: Options): Promise<void> => {
    try {
      await (await load())(file, options);
    } catch (error) {
      fail(error, options);
    }
  };

export function addPolicy(program: Command): void {
  const policy = program.command("policy").description("begin a policy, check it, ask it, or see what it denied");
  const add = (words: string, description: string): Command =>
    policy
      .command(words)
      .description(description)
      .option(
        "--state <dir>",
        "the agent's folder, whose policy.yaml is meant where no file is named",
        defaultStateDir(),
      )
      .option("--json", "one JSON object on the standard output");
  add("init [file]", "write a policy that denies everything, or a first connection")
    .option("--mssql <address>", "HOST:PORT/DATABASE of a SQL Server, or HOST\\INSTANCE/DATABASE")
    .option("--tables <patterns...>", "tables that may be read: schema.name, `*` after the dot")
    .option("--login <name>", "the login that may be used there", "svc_sallyport")
    .option("--name <name>", "what the orchestrator calls the connection", "erp")
    .addHelpText(
      "after",
      `
A policy that has connections is never overwritten.

Example:
  sallyport policy init --mssql sql01.corp.example:1433/ERP --tables dbo.Orders "archive.*"`,
    )
    .action(guarded(async () => (await import("./policy-init.ts")).init));
  add("check [file]", "check a policy file; exit 65 when it is not valid")
    .option(
      "--online",
      "ask a SQL Server which views and procedures read a masked table, a directory whether what the rules name is there",
    )
    .option("--connection <name>", "with --online: only this one")
    .option("--login <name>", "with --online: which login, where the policy lists several")
    .addHelpText(
      "after",
      `
Every mistake at once, with its line; and what is valid, but in its own way. With --online the password is asked for,
not shown; in a script it is the first line of the standard input.

Example:
  sallyport policy check policy.yaml
  sallyport policy check --online --connection erp`,
    )
    .action(guarded(async () => (await import("./policy-check.ts")).check));
  add("test [file]", "what the policy says to a request; exit 1 when it is denied")
    .requiredOption("--request <file>", "YAML or JSON: connection, login, caller and operation")
    .addHelpText(
      "after",
      `
Nothing is contacted, and no password is needed.

Example:
  $ cat request.yaml
  connection: erp
  login: svc_sallyport
  caller: pull:orders
  operation: { op: sql.table, table: dbo.Orders, columns: "*" }
  $ sallyport policy test --request request.yaml`,
    )
    .action(guarded(async () => (await import("./policy-test.ts")).test));
  add("suggest [file]", "rules for what was denied, from the journal; prints and never writes")
    .addOption(new Option("--since <time>", "how far back: 30m, 24h, 7d").default("24h"))
    .addHelpText(
      "after",
      `
What was asked for is not what is needed: read before you paste. Raw SQL, writes, calls and passwords are never suggested.

Example:
  sallyport policy suggest --since 7d`,
    )
    .action(guarded(async () => (await import("./policy-suggest.ts")).printSuggestions));
}
