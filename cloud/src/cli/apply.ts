/** `sallyportctl diff|apply`: pulls of many tenants, as a file has them. */
import { putPullAnswer } from "@sallyport/shared/schema/api-views.ts";
import { counted, plain } from "@sallyport/shared/terminal.ts";
import type { Command } from "commander";
import { listedPull } from "./answers.ts";
import { type Difference, differences, type Stored } from "./compare.ts";
import { CliError, EXIT } from "./exit.ts";
import { readPlan, type Wanted } from "./plan-file.ts";
import type { CommonOptions } from "./settings.ts";
import { readInput } from "./text-file.ts";
import { type Call, does, verb } from "./verb.ts";
import { readYaml } from "./yaml.ts";

interface FileOptions extends CommonOptions {
  readonly file: string;
}
interface ApplyOptions extends FileOptions {
  readonly yes?: boolean;
}

const FILE = ["-f, --file <file>", "YAML or JSON; - for the standard input (docs/sallyportctl.md)"] as const;

export function addApply(program: Command): void {
  does<FileOptions>(
    verb(
      program,
      "diff",
      "what `apply` would change; exit 1 when there is something",
      "diff -f pulls.yaml",
      "diff -f pulls.yaml --tenant contoso --json | jq '.[] | select(.state != \"same\")'",
    ).requiredOption(...FILE),
    async (call, options) => {
      const { found } = await look(call, options);
      if (found.some(isChange)) process.exitCode = EXIT.no;
      call.print(found, [...found.flatMap((one) => linesOf(one)), summary(found)]);
    },
  );
  does<ApplyOptions>(
    verb(
      program,
      "apply",
      "makes and changes pulls as a file has them; the same again changes nothing, and nothing is deleted",
      "apply -f pulls.yaml",
      "apply -f pulls.yaml --tenant contoso --yes",
    )
      .requiredOption(...FILE)
      .option("--yes", "also where a pull would start again from the beginning"),
    async (call, options) => {
      const { wanted, found, there } = await look(call, options);
      const anew = found.filter((one) => one.anew);
      if (anew.length > 0 && options.yes !== true) {
        const names = anew.map(({ tenant, pull }) => `${tenant}/${pull}`).join(", ");
        const what = `What ${names} ${anew.length === 1 ? "reads" : "read"} would be another: ${counted(anew.length, "pull")} would start again, and the next results replace all before them.`;
        throw new CliError(
          EXIT.usage,
          what,
          "Nothing was changed. Look at it with `sallyportctl diff`, then add --yes.",
        );
      }
      const done: (Difference & { readonly revision: number; readonly reset: boolean })[] = [];
      for (const one of found.filter(isChange)) {
        const { definition } = wanted.find(({ tenant, pull }) => tenant === one.tenant && pull === one.pull)!;
        const revision = there.get(one.tenant)?.find(({ id }) => id === one.pull)?.revision;
        const body = { id: one.pull, definition, ...(revision !== undefined && { revision }) };
        const answer = await call.api.post(`/tenants/${one.tenant}/pulls`, body, putPullAnswer);
        done.push({ ...one, revision: answer.revision, reset: answer.reset });
        // As it happens: if one is refused, the ones before it are done.
        if (!call.json) call.print(undefined, linesOf(one, answer.revision));
      }
      const text = summary(found);
      if (call.json) call.print(done, []);
      else call.print(undefined, [done.length === 0 ? `Nothing to do: ${text}` : `Done: ${text}`]);
    },
  );
}

const isChange = ({ state }: Difference): boolean => state === "new" || state === "changed";

interface Look {
  readonly wanted: readonly Wanted[];
  readonly found: readonly Difference[];
  readonly there: ReadonlyMap<string, readonly Stored[]>;
}

/** `--tenant` takes one of the file's tenants; SALLYPORT_TENANT does not: a file names its own. */
async function look(call: Call, { file, tenant }: FileOptions): Promise<Look> {
  const all = readPlan(readYaml(await readInput(file), file), file);
  const wanted = tenant === undefined ? all : all.filter((one) => one.tenant === tenant);
  if (wanted.length === 0) {
    throw new CliError(
      EXIT.usage,
      `${file} has no pull${tenant === undefined ? "" : ` of tenant ${tenant}`}.`,
      "Name another tenant, or file.",
    );
  }
  const there = new Map<string, readonly Stored[]>();
  for (const name of new Set(wanted.map((one) => one.tenant))) {
    there.set(name, await call.api.list(`/tenants/${name}/pulls`, listedPull));
  }
  return { wanted, found: differences(wanted, there), there };
}

const SIGNS = { new: "+", changed: "~", same: "=", unlisted: "?" } as const;

/** A line for the pull, and one for each field that changes. */
function linesOf({ tenant, pull, state, fields, anew }: Difference, revision?: number): string[] {
  const what =
    state === "unlisted"
      ? "not in the file: left alone"
      : revision === undefined
        ? state
        : `${state}, revision ${revision}`;
  const head = `${SIGNS[state]} ${tenant}/${pull}  ${what}${anew ? ": starts again from the beginning" : ""}`;
  return [head, ...fields.map(({ field, from, to }) => plain(`    ${field}: ${shown(from)} -> ${shown(to)}`))];
}

const shown = (value: unknown): string => (value === undefined ? "(none)" : JSON.stringify(value));

function summary(found: readonly Difference[]): string {
  const count = (state: Difference["state"]) => found.filter((one) => one.state === state).length;
  const parts = (["new", "changed", "same"] as const).map((state) => `${count(state)} ${state}`);
  return `${parts.join(", ")}${count("unlisted") === 0 ? "" : `, ${count("unlisted")} not in the file`}`;
}
