import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type Host, type HostOptions, startHost } from "./host.ts";
import { describeError, redirectConsole, writeLog } from "./log.ts";
import { StartProblem } from "./start-problem.ts";

/**
 * The local Functions host as a process: `main.ts --app DIR --key FILE --cert FILE [--port N] [--identity KEYFILE]
 * [--identity-id GUID] [--client-id GUID] [--drain-seconds N]
 * [--grace-seconds N]`. The app's settings are the environment. Prints one
 * JSON line `{ url, functions }` when ready; stops on SIGTERM, SIGINT and when stdin ends, so that it never outlives
 * who started it. Exit codes: 0 stopped, 64 usage, 1 the app or the host could not start (the reason is on stderr).
 */

const guid = z.guid();
const usage = z.object({
  app: z.string(),
  key: z.string(),
  cert: z.string(),
  port: z.coerce.number().int().min(0).max(65535).default(0),
  identity: z.string().optional(),
  "identity-id": guid.default("11111111-1111-4111-8111-111111111111"),
  "client-id": guid.default("22222222-2222-4222-8222-222222222222"),
  "drain-seconds": z.coerce.number().min(0).max(60).default(5),
  "grace-seconds": z.coerce.number().min(0).max(60).default(5),
});

function readUsage(): z.infer<typeof usage> {
  const option = { type: "string" } as const;
  const options = Object.fromEntries(Object.keys(usage.shape).map((name) => [name, option]));
  return usage.parse(parseArgs({ options }).values);
}

async function readOptions(): Promise<HostOptions> {
  const args = readUsage();
  const [key, cert] = await Promise.all([readFile(args.key, "utf8"), readFile(args.cert, "utf8")]);
  const identity = args.identity && {
    privateKeyPem: await readFile(args.identity, "utf8"),
    principalId: args["identity-id"],
    clientId: args["client-id"],
  };
  return {
    appDir: args.app,
    port: args.port,
    tls: { key, cert },
    keys: { master: takeSetting("FUNCTIONS_MASTER_KEY"), function: takeSetting("FUNCTIONS_KEY") },
    identity: identity || undefined,
    drainMs: args["drain-seconds"] * 1000,
    graceMs: args["grace-seconds"] * 1000,
  };
}

/** Reads a variable that is the host's and not the app's. */
function takeSetting(name: string): string | undefined {
  const value = process.env[name];
  delete process.env[name];
  return value === "" ? undefined : value;
}

function stopWhenAsked(host: Host): void {
  let stopping = false;
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    writeLog("information", "Host", `Stopping: ${why}`);
    // The app may hold timers and sockets of its own.
    void host.stop().then(() => process.exit(0));
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    // Here host and worker are one process. In Azure signals are the host's, and an app that waits for one waits in vain.
    process.removeAllListeners(signal);
    process.on(signal, () => stop(signal));
  }
  process.stdin.on("end", () => stop("stdin ended")).on("error", () => stop("stdin broke"));
  process.stdin.resume();
}

redirectConsole();
let options: HostOptions;
try {
  options = await readOptions();
} catch (error) {
  process.stderr.write(`${error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message}\n`);
  process.exit(64);
}
try {
  const host = await startHost(options);
  stopWhenAsked(host);
  process.stdout.write(`${JSON.stringify({ url: host.url, functions: host.functions })}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof StartProblem ? error.message : describeError(error)}\n`);
  process.exit(1);
}
