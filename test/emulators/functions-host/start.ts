import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { boundNode } from "../processes/bound.ts";

/** Starts the local Functions host as a process of its own: what tests and the stack use. */
export type FunctionsHostOptions = {
  /** The app's folder, with host.json and package.json. */
  app: string;
  /** The HTTPS certificate, for `localhost`. */
  tls: { key: string; cert: string };
  /** The app's settings. Nothing of this process's environment but PATH, HOME and TMPDIR goes with them. */
  env?: Readonly<Record<string, string>>;
  /** Random when not given. */
  masterKey?: string;
  functionKey?: string;
  /** 0, the default, for a free port. */
  port?: number;
  /** Gives the app a managed identity. */
  identity?: { privateKeyPem: string; principalId?: string; clientId?: string };
  /** How long running invocations may go on after `close`, before the app hears of it. Default 5. */
  drainSeconds?: number;
  /** How long the app's hooks `appTerminate` may take. Default 5, as in Azure. */
  graceSeconds?: number;
  /** Told every line of the log as it comes. */
  onLine?: (line: string) => void;
};

export type FunctionsHostExit = { code: number | null; signal: NodeJS.Signals | null };

export type FunctionsHost = {
  readonly url: string;
  /** Names, in the order of registration. */
  readonly functions: readonly string[];
  readonly masterKey: string;
  readonly functionKey: string;
  readonly pid: number;
  /** Resolves when the process is gone, for whatever reason. */
  readonly exited: Promise<FunctionsHostExit>;
  /** The last 5,000 lines of the log. */
  lines(): readonly string[];
  /** The first line, past or to come, that matches. Rejects when the process exits without one. */
  line(pattern: RegExp): Promise<string>;
  /** Sends a signal and returns at once; await `exited`. SIGKILL is a crash. */
  kill(signal: NodeJS.Signals): void;
  /** Stops it as Azure does (drained, then told by `appTerminate`) and waits; ends by SIGKILL when it hangs. */
  close(): Promise<FunctionsHostExit>;
};

const MAX_LINES = 5_000;
const CLOSE_GRACE_MS = 10_000;
const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const readyLine = z.object({ url: z.url(), functions: z.array(z.string()) });

/**
 * Starts the host and resolves when it is ready. Rejects with the end of its log when it exits before that.
 * @param signal gives the start up; afterwards `close` ends it
 */
export async function startFunctionsHost(options: FunctionsHostOptions, signal?: AbortSignal): Promise<FunctionsHost> {
  const masterKey = options.masterKey ?? randomBytes(24).toString("base64url");
  const functionKey = options.functionKey ?? randomBytes(24).toString("base64url");
  const files = await writeFiles(options);
  const { command, args, detached } = boundNode([
    "--disable-warning=ExperimentalWarning",
    MAIN,
    ...makeArguments(options, files),
  ]);
  const child = spawn(command, args, {
    env: {
      ...inherited("PATH", "HOME", "TMPDIR"),
      ...options.env,
      FUNCTIONS_MASTER_KEY: masterKey,
      FUNCTIONS_KEY: functionKey,
    },
    stdio: ["pipe", "pipe", "pipe"],
    detached,
  });
  const exited = new Promise<FunctionsHostExit>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.once("error", () => resolve({ code: null, signal: null }));
  });
  child.stdin.on("error", () => undefined); // the process is gone, which `exited` tells
  const log = collectLines(child, exited, options.onLine);
  const giveUp = () => void child.kill("SIGKILL");
  signal?.addEventListener("abort", giveUp);
  if (signal?.aborted) giveUp();
  try {
    const ready = await Promise.race([log.ready, exited.then(() => undefined)]);
    if (ready === undefined) throw new Error(`The Functions host did not start:\n${log.lines().slice(-40).join("\n")}`);
    return {
      ...ready,
      masterKey,
      functionKey,
      pid: child.pid!,
      exited,
      lines: log.lines,
      line: log.line,
      kill: (signal) => void child.kill(signal),
      close: () => close(child, exited, options.drainSeconds ?? 5),
    };
  } finally {
    signal?.removeEventListener("abort", giveUp);
    await rm(files.folder, { recursive: true, force: true });
  }
}

type Files = { folder: string; key: string; cert: string; identity: string };

/** Keys go to the process in files only it can read, which are gone as soon as it is up. */
async function writeFiles(options: FunctionsHostOptions): Promise<Files> {
  const folder = await mkdtemp(join(tmpdir(), "functions-host-"));
  const files = {
    folder,
    key: join(folder, "key.pem"),
    cert: join(folder, "cert.pem"),
    identity: join(folder, "identity.pem"),
  };
  await writeFile(files.key, options.tls.key, { mode: 0o600 });
  await writeFile(files.cert, options.tls.cert, { mode: 0o600 });
  if (options.identity) await writeFile(files.identity, options.identity.privateKeyPem, { mode: 0o600 });
  return files;
}

function makeArguments(options: FunctionsHostOptions, files: Files): string[] {
  const { identity } = options;
  const pairs: [string, string | number | undefined][] = [
    ["--app", options.app],
    ["--key", files.key],
    ["--cert", files.cert],
    ["--port", options.port],
    ["--drain-seconds", options.drainSeconds],
    ["--grace-seconds", options.graceSeconds],
    ["--identity", identity && files.identity],
    ["--identity-id", identity?.principalId],
    ["--client-id", identity?.clientId],
  ];
  return pairs.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
}

function inherited(...names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** The process's output as lines: the ready line apart, everything else (also what the app writes to stdout) as the log. */
function collectLines(child: ChildProcess, exited: Promise<unknown>, onLine?: (line: string) => void) {
  const kept: string[] = [];
  const waiting = new Set<(line: string) => void>();
  const ready = Promise.withResolvers<z.infer<typeof readyLine>>();
  const add = (line: string) => {
    kept.push(line);
    if (kept.length > MAX_LINES) kept.shift();
    for (const look of waiting) look(line);
    onLine?.(line);
  };
  createInterface({ input: child.stderr! }).on("line", add);
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const found = parseReady(line);
    if (found) ready.resolve(found);
    else add(line);
  });
  const line = (pattern: RegExp): Promise<string> => {
    const past = kept.find((one) => pattern.test(one));
    if (past !== undefined) return Promise.resolve(past);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const look = (one: string) => {
      if (pattern.test(one)) resolve(one);
    };
    waiting.add(look);
    void exited.then(() => reject(new Error(`The Functions host exited without a line like ${pattern}`)));
    return promise.finally(() => waiting.delete(look));
  };
  return { ready: ready.promise, lines: () => kept as readonly string[], line };
}

function parseReady(line: string): z.infer<typeof readyLine> | undefined {
  try {
    return readyLine.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

async function close(
  child: ChildProcess,
  exited: Promise<FunctionsHostExit>,
  drainSeconds: number,
): Promise<FunctionsHostExit> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), drainSeconds * 2000 + CLOSE_GRACE_MS);
  try {
    return await exited;
  } finally {
    clearTimeout(timer);
  }
}
