/** `npm start` as a terminal runs it: in a process group of its own, with places of its own that it must leave empty. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type Held, heldBy } from "./process-tree.ts";

const MAIN = fileURLToPath(new URL("../../stack/main.ts", import.meta.url));
const ROWS = 20_000;

export interface DemoExit {
  /** As a shell says it: 128 and the signal's number for what a signal ended. */
  readonly code: number;
  readonly lines: readonly string[];
  readonly stderr: string;
}

export interface Demo {
  readonly pid: number;
  /** Waits for a line, past or to come. */
  line(pattern: RegExp): Promise<string>;
  /** Its folder; undefined while it has said none. */
  folder(): string | undefined;
  /** Waits for a file of its folder with something in it that fits. */
  file(name: string, fits: () => boolean): Promise<void>;
  /** Everything that it holds now. */
  held(): Held;
  /** As the terminal does at Ctrl-C: to every process of its group. */
  interrupt(): void;
  /** To its process only. */
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<DemoExit>;
  /** Names in its working, home and temporary folder: what it left outside its own. */
  strays(): string[];
  /** Ends it, if it has not ended, and removes its folders. */
  remove(): Promise<void>;
}

const SIGNALS: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export async function startDemo(args: readonly string[] = []): Promise<Demo> {
  const places = mkdtempSync(join(tmpdir(), "sallyport-demo-"));
  const [cwd, home, temporary] = ["cwd", "home", "tmp"].map((name) => join(places, name)) as [string, string, string];
  for (const place of [cwd, home, temporary]) mkdirSync(place);
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
    detached: true,
    cwd,
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: temporary, SALLYPORT_DEMO_ROWS: String(ROWS) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => lines.push(line));
  const stderr = text(child.stderr);
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const ended = closed.then(async ([code, signal]) => {
    return { code: code ?? 128 + (SIGNALS[signal ?? "SIGKILL"] ?? 0), lines, stderr: await stderr };
  });
  await once(child, "spawn");
  const pid = child.pid!;
  const folder = () => lines.map((line) => /^Sallyport on this machine, in (.*)$/.exec(line)?.[1]).find(Boolean);
  const endedEarly = (what: string) =>
    ended.then(({ stderr: said }) =>
      Promise.reject(new Error(`it ended before ${what}\n${lines.join("\n")}\n${said}`)),
    );
  return {
    pid,
    folder,
    ended,
    held: () => heldBy(pid),
    line: (pattern) => {
      const past = lines.find((line) => pattern.test(line));
      if (past !== undefined) return Promise.resolve(past);
      const coming = new Promise<string>((resolve) => {
        reader.on("line", (line) => pattern.test(line) && resolve(line));
      });
      return Promise.race([coming, endedEarly(String(pattern))]);
    },
    file: async (name, fits) => {
      const path = join(folder()!, name);
      const stop = new AbortController();
      const changes = watch(folder()!, { recursive: true, signal: stop.signal });
      const coming = new Promise<void>((resolve) => {
        const look = () => existsSync(path) && fits() && resolve();
        changes.on("change", look).on("error", () => undefined);
        look();
      });
      await Promise.race([coming, endedEarly(name)]).finally(() => stop.abort());
    },
    interrupt: () => void process.kill(-pid, "SIGINT"),
    kill: (signal) => void process.kill(pid, signal),
    strays: () => [cwd, home, temporary].flatMap((place) => readdirSync(place)),
    remove: async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, "SIGKILL");
      await ended;
      for (const each of [places, folder()]) if (each !== undefined) rmSync(each, { recursive: true, force: true });
    },
  };
}
