/** Looking at a run until it has ended. */
import { setTimeout as pause } from "node:timers/promises";
import { type RunView, runView } from "@sallyport/shared/schema/api.ts";
import { plain } from "@sallyport/shared/terminal.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { isFinal, progressLine } from "./run-text.ts";
import type { Call } from "./verb.ts";

const POLL_MS = 1000;
/** A watcher sits through what passes: a restart, a moment without a network. */
const PATIENCE_MS = 120_000;
const CLEAR_LINE = "\r\u001b[2K";

/**
 * Prints what changes: on a terminal one line that is replaced, elsewhere a line for each change, with `--json` the run as
 * an object a line. Sets the exit code: 0 published, 1 ended otherwise. Ctrl-C ends the watching and leaves the run alone.
 * @throws what a call throws, when it goes on for two minutes
 */
export async function watchRun(call: Call, id: string): Promise<void> {
  const path = `${call.tenantPath()}/runs/${id}`;
  const out = process.stdout;
  const live = out.isTTY && !call.json;
  const interrupted = new AbortController();
  const onInterrupt = () => interrupted.abort();
  process.once("SIGINT", onInterrupt);
  let shown = "";
  const show = (run: RunView): void => {
    // Not the line: its rate changes when nothing else does.
    const now = JSON.stringify(run);
    if (!live && now === shown) return;
    shown = now;
    const line = plain(progressLine(run, { ...call, coloured: (state) => state }, Date.now()));
    // A line that wraps would not be replaced whole.
    if (live) out.write(`${CLEAR_LINE}${line.slice(0, out.columns - 1).replace(run.state, call.coloured(run.state))}`);
    else call.print(run, [line]);
  };
  try {
    const run = await untilFinal(() => call.api.get(path, runView), show, interrupted.signal);
    if (live) out.write("\n");
    if (run.state !== "published" && run.state !== "expired") process.exitCode = EXIT.no;
  } catch (thrown) {
    if (live) out.write("\n");
    if (!interrupted.signal.aborted) throw thrown;
    process.stderr.write(`The run goes on. To end it: sallyportctl runs cancel ${id}\n`);
    process.exitCode = 130;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

async function untilFinal(
  look: () => Promise<RunView>,
  show: (run: RunView) => void,
  signal: AbortSignal,
): Promise<RunView> {
  let answeredMs = performance.now();
  for (;;) {
    try {
      const run = await look();
      answeredMs = performance.now();
      show(run);
      if (isFinal(run)) return run;
    } catch (thrown) {
      const exit = exitCodeOf(thrown);
      const mayPass = exit === EXIT.unreachable || exit === EXIT.tryAgain;
      if (!mayPass || performance.now() - answeredMs > PATIENCE_MS) throw thrown;
    }
    await pause(POLL_MS, undefined, { signal });
  }
}
