/** `sallyport policy test`: which rule decides one request, and why. Nothing is contacted. */
import { readFileSync } from "node:fs";
import { DEFAULT_LIMITS, limits, operation, sqlTable } from "@sallyport/shared/schema/operations.ts";
import { parseStrictYaml } from "@sallyport/shared/strict-yaml.ts";
import { z } from "zod";
import { decide, type Judged } from "../policy/decide.ts";
import { parsePolicy } from "../policy/file.ts";
import { findConnection } from "../policy/find-connection.ts";
import { EXIT, UsageError } from "./exit.ts";
import { type PolicyOptions, readPolicyFile } from "./policy-file.ts";
import { print } from "./print.ts";

interface TestOptions extends PolicyOptions {
  readonly request: string;
}

const shortTable = sqlTable.extend({ watermark: sqlTable.shape.watermark.default("none") });

const asked = z.strictObject({
  connection: z.string(),
  /** As the wire has it; a table's watermark may be left out. */
  operation: z.unknown().transform((value, context): Judged => {
    const isTable = typeof value === "object" && value !== null && "op" in value && value.op === "sql.table";
    const parsed = (isTable ? shortTable : operation).safeParse(value);
    if (parsed.success && parsed.data.op !== "agent.ping") return parsed.data;
    for (const issue of parsed.error?.issues ?? [{ message: "a ping needs no policy", path: ["op"] }]) {
      context.addIssue({ code: "custom", message: issue.message, path: [...issue.path] });
    }
    return z.NEVER;
  }),
  login: z.string(),
  /** The connection's first way, where nothing is said. */
  signIn: z.string().optional(),
  caller: z.string().default("key:test"),
  limits: limits.partial().default({}),
});

/** The field was called `user`, which files may still say. */
const question = z.preprocess((value) => {
  if (typeof value !== "object" || value === null || !("user" in value) || "login" in value) return value;
  const { user: login, ...others } = value;
  return { ...others, login };
}, asked);

export function test(file: string | undefined, options: TestOptions): void {
  const policy = parsePolicy(readPolicyFile(file, options).text, new Date());
  const { signIn, limits: stated, login, ...wish } = readQuestion(options.request);
  const connection = findConnection(policy, wish.connection);
  const wanted = Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined));
  const request = {
    ...wish,
    user: login,
    signIn: signIn ?? connection?.signIn[0] ?? "",
    limits: { ...DEFAULT_LIMITS, ...wanted },
    // What a password would be sealed in is no matter of the rules.
    sealed: "opened" as const,
  };
  const decision = decide(policy, request, new Date());
  if ("allow" in decision) {
    const { rule, limits: granted, grant } = decision.allow;
    const mask = "mask" in grant ? grant.mask : undefined;
    const masked = Object.keys(mask ?? {});
    print(options, { decision: "allow", rule, limits: granted, ...(mask === undefined ? {} : { mask }) }, [
      `allowed by rule ${rule}`,
      ...(masked.length === 0 ? [] : [`masked: ${masked.join(", ")}`]),
    ]);
    return;
  }
  const { code, reason, rule, considered = [] } = decision.deny;
  process.exitCode = EXIT.no;
  print(options, { decision: "deny", code, rule, reason, considered }, [
    `${code}: ${reason}${rule === undefined ? "" : ` (rule ${rule})`}`,
    ...considered.map(({ rule: near, why }) => `rule ${near} ${why}`),
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
