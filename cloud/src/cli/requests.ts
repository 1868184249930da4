/** `sallyportctl requests run|show`: one operation by hand, on a connection of the tenant. */
import { setTimeout as pause } from "node:timers/promises";
import { newRequest, type RequestView, requestView } from "@sallyport/shared/schema/api-requests.ts";
import { randomId } from "@sallyport/shared/schema/ids.ts";
import { plain } from "@sallyport/shared/terminal.ts";
import { type Command, createArgument, InvalidArgumentError } from "commander";
import type { z } from "zod";
import { CliError, EXIT } from "./exit.ts";
import { facts, table } from "./print.ts";
import { suggested } from "./run-text.ts";
import type { CommonOptions } from "./settings.ts";
import { readInput } from "./text-file.ts";
import { type Call, does, nameArgument, verb } from "./verb.ts";
import { bytes, count } from "./words.ts";
import { readYaml } from "./yaml.ts";

interface RunOptions extends CommonOptions {
  readonly file: string;
  readonly wait?: boolean;
}

const POLL_MS = 1000;
const SHOWN_ROWS = 50;

export function addRequests(program: Command): void {
  const requests = program.command("requests").description("single operations by hand");
  does<RunOptions>(
    verb(
      requests,
      "run",
      "runs the operation that a file holds; exit 0 succeeded, 1 not",
      "requests run erp -f schema.yaml --tenant contoso",
      "echo '{ op: sql.schema }' | sallyportctl requests run erp -f - --json | jq .rows",
    )
      .addArgument(nameArgument("<connection>", "where"))
      .requiredOption(
        "-f, --file <file>",
        "the operation, and what it takes, in YAML or JSON; - for the standard input",
      )
      .option("--no-wait", "answers at once with the request's id, where its result takes longer"),
    async (call, { file, wait }, connection = "") => {
      const body = bodyOf(connection, readYaml(await readInput(file), file), file);
      const first = await call.api.post(`${call.tenantPath()}/requests`, body, requestView);
      show(call, wait === false ? first : await untilEnd(call, first));
    },
  );
  does(
    verb(
      requests,
      "show",
      "a request, with its result while that is kept",
      `requests show ${"0".repeat(32)}`,
    ).addArgument(createArgument("<request>", "its id").argParser(asId)),
    async (call, _, id = "") => show(call, await call.api.get(`${call.tenantPath()}/requests/${id}`, requestView)),
  );
}

/** The file holds an operation, or a whole request without its connection. @throws CliError naming the fields */
function bodyOf(connection: string, content: unknown, file: string): z.input<typeof newRequest> {
  const isWhole = typeof content === "object" && content !== null && "operation" in content;
  const body = isWhole ? { ...content, connection } : { connection, operation: content };
  const parsed = newRequest.safeParse(body);
  if (parsed.success) return body as z.input<typeof newRequest>;
  const problems = parsed.error.issues
    .slice(0, 8)
    .map((issue) => `${issue.path.join(".") || "file"}: ${issue.message}`);
  throw new CliError(EXIT.usage, `${file} holds no request: ${problems.join("; ")}`, "docs/api.md has its fields.");
}

async function untilEnd(call: Call, first: RequestView): Promise<RequestView> {
  let now = first;
  while (now.state === "running" || now.state === "waiting") {
    await pause(POLL_MS);
    now = await call.api.get(`${call.tenantPath()}/requests/${now.id}`, requestView);
  }
  return now;
}

function show(call: Call, view: RequestView): void {
  if (view.state === "failed") process.exitCode = EXIT.no;
  const { error, suggestion, link, rows = [], columns = [] } = view;
  const heads = columns.map(({ name }) => plain(name));
  const cells = rows.slice(0, SHOWN_ROWS).map((row) => columns.map(({ name }) => cellText(row[name])));
  const more = rows.length > SHOWN_ROWS ? [`and ${count(rows.length - SHOWN_ROWS)} more rows: --json has all`] : [];
  const lines = facts([
    ["REQUEST", view.id],
    ["STATE", view.state],
    ["ROWS", view.count === null ? undefined : `${count(view.count)}, ${bytes(view.bytes ?? 0)}`],
    ["ERROR", error === null ? undefined : `${error.code}: ${error.message}`],
    ["ADVICE", error?.advice],
    ["RESULT", link === null ? undefined : `${link.url} (until ${link.expiresAt})`],
  ]);
  call.print(view, [
    ...lines,
    ...suggested(suggestion),
    ...(rows.length === 0 ? [] : ["", ...table(heads, cells), ...more]),
  ]);
}

const cellText = (value: unknown): string =>
  value === null || value === undefined ? "NULL" : typeof value === "object" ? JSON.stringify(value) : String(value);

function asId(id: string): string {
  const parsed = randomId.safeParse(id);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError("a request's id has 32 of 0-9 and a-f");
}
