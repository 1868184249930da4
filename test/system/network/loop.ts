/** A parent and a child in an endless loop: what an executor does at its worst, and a supervisor at its end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { executorCommand } from "@sallyport/agent/src/supervisor/executor-command.ts";

export interface Loop {
  readonly parent: number;
  readonly child: number;
}

const HEAP_MEGABYTES = 64;
/** Tells its own id, hears nothing more. Ends neither at `disconnect` nor at SIGTERM. */
const CHILD =
  "console.log(process.pid); process.on('disconnect', () => process.exit()); setTimeout(() => { for (;;); }, 0)";

/** @param options.confined whether the child is wrapped as executors are; if not, it is plain Node. */
export async function startLoop(options: { readonly confined: boolean }): Promise<Loop> {
  const { execPath, execArgv } = executorCommand(HEAP_MEGABYTES);
  const [command, args] = options.confined ? [execPath, execArgv] : [process.execPath, []];
  const spawning = `require("child_process").spawn(${JSON.stringify(command)}, ${JSON.stringify([...args, "-e", CHILD])}, { stdio: ["ignore", "inherit", "ignore", "ipc"] })`;
  const parent = spawn(process.execPath, ["-e", `${spawning}; setInterval(() => {}, 1e6)`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
  return { parent: parent.pid!, child: Number(line) };
}
