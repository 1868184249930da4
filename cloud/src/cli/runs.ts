/** `sallyportctl runs list|show|parts|watch|cancel|retry`. */

import { partsView, runView } from "@sallyport/shared/schema/api.ts";
import { type Command, InvalidArgumentError } from "commander";
import { cancelAnswer } from "./answers.ts";
import { EXIT } from "./exit.ts";
import { table } from "./print.ts";
import { describeRun, runTable } from "./run-text.ts";
import type { CommonOptions } from "./settings.ts";
import { type Call, does, nameArgument, runArgument, verb } from "./verb.ts";
import { watchRun } from "./watch.ts";
import { bytes, count } from "./words.ts";

interface ListOptions extends CommonOptions {
  readonly lines: number;
}
interface RetryOptions extends CommonOptions {
  readonly watch?: boolean;
}

export function addRuns(program: Command): void {
  const runs = program.command("runs").description("executions of pulls");
  does<ListOptions>(
    verb(
      runs,
      "list",
      "a pull's runs, newest first",
      "runs list orders --tenant contoso",
      "runs list orders --json | jq -r '.[] | select(.state==\"failed\") | .id'",
    )
      .addArgument(nameArgument("<pull>", "whose runs"))
      .option("-n, --lines <count>", "how many at most, up to 1000", asLines, 20),
    async (call, { lines }, pull = "") => {
      const all = await call.api.list(`${call.tenantPath()}/pulls/${pull}/runs?limit=${lines}`, runView, lines);
      const none = [`Pull ${pull} has not run. Next: sallyportctl pulls run ${pull}`];
      call.print(all, all.length === 0 ? none : runTable(all, call, Date.now()));
    },
  );
  does(
    verb(runs, "show", "a run, with its error and what to do about it", `runs show ${EXAMPLE}`).addArgument(
      runArgument(),
    ),
    async (call, _, id = "") => {
      const run = await call.api.get(runPath(call, id), runView);
      call.print(run, describeRun(run, call, Date.now()));
    },
  );
  does(
    verb(
      runs,
      "parts",
      "a published run's files; with --json links that read them for 10 minutes",
      `runs parts ${EXAMPLE}`,
      `runs parts ${EXAMPLE} --json | jq -r '.parts[].url'`,
    ).addArgument(runArgument()),
    async (call, _, id = "") => {
      const view = await call.api.get(`${runPath(call, id)}/parts`, partsView);
      const rows = view.parts.map((part) => [count(part.rows), bytes(part.bytes), part.sha256, part.path]);
      const none = ["The run has no files: it was not published, or nothing was new."];
      call.print(view, rows.length === 0 ? none : table(["ROWS", "BYTES", "SHA-256", "PATH"], rows));
    },
  );
  does(
    verb(
      runs,
      "watch",
      "follows a run to its end: exit 0 published, 1 not; Ctrl-C leaves the run alone",
      `runs watch ${EXAMPLE}`,
    ).addArgument(runArgument()),
    (call, _, id = "") => watchRun(call, id),
  );
  does(
    verb(runs, "cancel", "stops a run; exit 1 when it had ended before", `runs cancel ${EXAMPLE}`).addArgument(
      runArgument(),
    ),
    async (call, _, id = "") => {
      const answered = await call.api.post(`${runPath(call, id)}/cancel`, {}, cancelAnswer);
      if (answered.answer === "ended") process.exitCode = EXIT.no;
      call.print({ run: id, ...answered }, [CANCEL_TEXT[answered.answer](id)]);
    },
  );
  does<RetryOptions>(
    verb(runs, "retry", "starts a failed or cancelled run again, as a new one", `runs retry ${EXAMPLE} --watch`)
      .addArgument(runArgument())
      .option("--watch", "stays until the new run has ended: exit 0 published, 1 not"),
    async (call, { watch }, id = "") => {
      const run = await call.api.post(`${runPath(call, id)}/retry`, {}, runView);
      if (watch) await watchRun(call, run.id);
      else call.print(run, describeRun(run, call, Date.now()));
    },
  );
}

const EXAMPLE = "orders.8208934512345-1f2e3d4c --tenant contoso";

const CANCEL_TEXT = {
  cancelled: () => "The run is cancelled.",
  asked: (id: string) => `Asked: whoever works on it stops within seconds. To see it: sallyportctl runs watch ${id}`,
  ended: (id: string) => `The run had ended before. To see how: sallyportctl runs show ${id}`,
} as const;

const runPath = (call: Call, id: string): string => `${call.tenantPath()}/runs/${id}`;

function asLines(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError("give a number from 1 to 1000");
}
