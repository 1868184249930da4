/** `sallyport policy check|test`: what the owner's file says, and what it would say to a request. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  DEFAULT_LIMITS,
  limits,
  sqlChanges,
  sqlQuery,
  sqlSchema,
  sqlTable,
} from "@sallyport/shared/schema/operations.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { sqlCall, sqlWrite } from "@sallyport/shared/schema/write-operations.ts";
import type { Command } from "commander";
import { z } from "zod";
import { ConfigError, defaultStateDir } from "../config.ts";
import { decide } from "../policy/decide.ts";
import { digestPolicy, parsePolicy } from "../policy/file.ts";
import { statePaths } from "../state.ts";
import { parseStrictYaml } from "../strict-yaml.ts";
import { EXIT, UsageError } from "./exit.ts";
import { counted, fail, type OutputOptions, print } from "./print.ts";

interface PolicyOptions extends OutputOptions {
  readonly state: string;
  readonly request?: string;
}

export function addPolicy(program: Command): void {
  const policy = program.command("policy").description("check the policy, or ask it");
  policy
    .command("check [file]")
    .description("check a policy file; exit 65 when it is not valid")
    .option("--state <dir>", "the agent's folder, whose policy.yaml is checked without a file", defaultStateDir())
    .option("--json", "one JSON object on the standard output")
    .addHelpText("after", "\nExample:\n  sallyport policy check policy.yaml")
    .action((file: string | undefined, options: PolicyOptions) => guarded(options, () => check(file, options)));
  policy
    .command("test [file]")
    .description("what the policy says to a request; exit 1 when it is denied")
    .requiredOption("--request <file>", "YAML or JSON: connection, user, caller and operation")
    .option("--state <dir>", "the agent's folder, whose policy.yaml is asked without a file", defaultStateDir())
    .option("--json", "one JSON object on the standard output")
    .addHelpText(
      "after",
      `
Nothing is contacted, and no password is needed.

Example:
  $ cat request.yaml
  connection: erp
  user: svc_sallyport
  caller: pull:orders
  operation: { op: sql.table, table: dbo.Orders, columns: "*" }
  $ sallyport policy test --request request.yaml`,
    )
    .action((file: string | undefined, options: PolicyOptions) => guarded(options, () => test(file, options)));
}

function guarded(options: OutputOptions, act: () => void): void {
  try {
    act();
  } catch (error) {
    fail(error, options);
  }
}

function load(file: string | undefined, options: PolicyOptions): { path: string; text: string; policy: Policy } {
  const path = file === undefined ? statePaths(resolve(options.state)).policy : resolve(file);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new ConfigError(`${path} cannot be read`);
  }
  return { path, text, policy: parsePolicy(text, new Date()) };
}

function check(file: string | undefined, options: PolicyOptions): void {
  const { path, text, policy } = load(file, options);
  const connections = Object.entries(policy.connections);
  const rules = connections.flatMap(([, connection]) => [...connection.rules]);
  const raw = connections.filter(([, { rules }]) =>
    [...rules].some((rule) => "allow" in rule && (rule.allow as readonly string[]).includes("raw")),
  );
  const digest = digestPolicy(text);
  print(options, { ok: true, digest, connections: connections.length, rules: rules.length }, [
    `${path} is valid: ${counted(connections.length, "connection")}, ${counted(rules.length, "rule")}, sha256:${digest}`,
    ...raw.map(([name]) => `connection ${name} allows raw SQL: the rights of its logins are the only wall there`),
  ]);
}

const question = z.strictObject({
  connection: z.string(),
  operation: z.discriminatedUnion("op", [
    sqlTable.extend({ watermark: sqlTable.shape.watermark.default("none") }),
    ...[sqlChanges, sqlQuery, sqlSchema, sqlWrite, sqlCall],
  ]),
  user: z.string(),
  signIn: z.string().default("sql"),
  caller: z.string().default("key:test"),
  limits: limits.partial().default({}),
});

function test(file: string | undefined, options: PolicyOptions): void {
  const { policy } = load(file, options);
  const asked = readQuestion(options.request ?? "");
  const stated = Object.fromEntries(Object.entries(asked.limits).filter(([, value]) => value !== undefined));
  const decision = decide(policy, { ...asked, limits: { ...DEFAULT_LIMITS, ...stated } }, new Date());
  if ("allow" in decision) {
    const { rule, limits: granted } = decision.allow;
    print(options, { decision: "allow", rule, limits: granted }, [`allowed by rule ${rule}`]);
    return;
  }
  const { code, reason, rule } = decision.deny;
  process.exitCode = EXIT.no;
  print(options, { decision: "deny", code, rule, reason }, [
    `${code}: ${reason}${rule === undefined ? "" : ` (rule ${rule})`}`,
  ]);
}

function readQuestion(file: string): z.infer<typeof question> {
  let value: unknown;
  try {
    value = parseStrictYaml(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  const parsed = question.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    `${file}: ${parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ")}`,
  );
}
