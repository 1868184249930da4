/** `npm start`: the whole of Sallyport on this machine. See `--help`. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";
import { createCleanup } from "./cleanup.ts";
import { FLIGHTS, runDemo } from "./demo.ts";
import { PEOPLE } from "./demo-directory.ts";
import { freshFolder } from "./folders.ts";
import { bundled, SOURCES } from "./program.ts";
import { type RealAddress, takeRealAddress } from "./real-address.ts";
import { DEMO_SCHEMA, openRealServer } from "./real-server.ts";
import { createScreen, seconds } from "./screen.ts";
import type { Source } from "./source.ts";
import { type StackOn, startStack, startStackOn, TENANT } from "./start.ts";

const HELP = `Starts the whole of Sallyport on this machine: an orchestrator and its Azure services, a relay, an agent, and a SQL Server
with sample data, all on loopback. A pull runs through all of it, something changes, and a second run picks up just that. Then a pull of a
small directory, and its second run after somebody has left.

  npm start                     stay up afterwards, until Ctrl-C
  npm start -- --once           end after the pulls
  npm start -- --once --json    print one JSON object as the last line
  npm start -- --bundle         run what is deployed, agent/dist and cloud/dist, made first where sources are newer

In the environment:
  SALLYPORT_DEMO_ROWS   how many flights the sample has (${FLIGHTS}; 1000 at least)
  SALLYPORT_MSSQL       mssql://user:password@host:port/database?encrypt=true&trustServerCertificate=false
                        a SQL Server to use instead of the emulator. The schema ${DEMO_SCHEMA}, with two tables, is made
                        there and dropped at the end, and so is a login that reads it, where that is allowed.
  SALLYPORT_TELEMETRY   console or otlp: traces and metrics, as docs/telemetry.md has it
`;

const options = readOptions();
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const flights = z.coerce
  .number()
  .int()
  .min(1000)
  .max(3_000_000)
  .safeParse(process.env.SALLYPORT_DEMO_ROWS ?? FLIGHTS);
if (!flights.success) {
  process.stderr.write("SALLYPORT_DEMO_ROWS is a whole number from 1000 to 3000000.\n");
  process.exit(64);
}

let address: RealAddress | undefined;
try {
  address = takeRealAddress(process.env);
} catch (thrown) {
  process.stderr.write(`${(thrown as Error).message}\n`);
  process.exit(64);
}

function readOptions() {
  const flag = { type: "boolean", default: false } as const;
  try {
    const options = { once: flag, json: flag, bundle: flag, help: { ...flag, short: "h" } };
    return parseArgs({ options }).values;
  } catch (thrown) {
    process.stderr.write(`${(thrown as Error).message}\n\n${HELP}`);
    process.exit(64);
  }
}

const screen = createScreen(process.stdout, options.json);
const cleanup = createCleanup();
let staying = false;

async function realSource(server: RealAddress): Promise<Source> {
  const opening = openRealServer(server, join(folder, "sql-server-ca.pem"));
  const source = await cleanup.starting(opening, (it) => it.close());
  const { user } = source.reader;
  screen.say(
    `  SQL Server     ${server.host}:${server.port}/${server.database}, schema ${source.schema}, read by ${user}${source.ownReader ? "" : " (which may make no login of its own)"}`,
  );
  cleanup.signal.throwIfAborted();
  return source;
}

/** What `sallyportctl` needs to know, to be copied as one line into any folder; the key is in a file that only this account reads. */
function commandLine({ origin, folder: where }: StackOn): string {
  const inFolder = (name: string) => `'${join(where, name).replaceAll("'", "'\\''")}'`;
  const settings = [
    `SALLYPORT_URL=${origin}`,
    `SALLYPORT_TENANT=${TENANT}`,
    `SALLYPORT_KEY_FILE=${inFolder("admin.key")}`,
  ];
  return [...settings, `NODE_EXTRA_CA_CERTS=${inFolder("ca.pem")}`].join(" ");
}

async function leave(exitCode: number): Promise<never> {
  await cleanup.run();
  process.exit(exitCode);
}

for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.on(signal, () => {
    // The end is on its way: asking again makes it neither quicker nor dirtier.
    if (cleanup.signal.aborted) return;
    screen.say("\nStopping …");
    void leave(staying ? 0 : 128 + number);
  });
}

/** Where traces and metrics go is the one thing that the function app takes from the shell (docs/telemetry.md). */
function telemetryIn(env: NodeJS.ProcessEnv): Record<string, string> {
  const given = Object.entries(env).filter(([name]) => name.startsWith("SALLYPORT_TELEMETRY"));
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? ""]));
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = freshFolder(root, new Date(), process.pid);
// Whatever a part of the stack puts into the temporary folder stays in ours.
process.env.TMPDIR = join(folder, "tmp");
mkdirSync(process.env.TMPDIR);

try {
  const startedMs = performance.now();
  screen.say(`Sallyport on this machine, in ${folder}`);
  const onStep = (step: string) => screen.step(`  starting: ${step}`);
  if (options.bundle) onStep("bundles");
  const program = options.bundle ? await bundled() : SOURCES;
  const stackOptions = { folder, cleanup, program, onStep, settings: telemetryIn(process.env) };
  const stack = address
    ? await startStackOn(await realSource(address), stackOptions)
    : await startStack({ ...stackOptions, people: PEOPLE });
  screen.say(
    `  started        ${stack.origin}, agent ${stack.agent.id} listens   ${seconds((performance.now() - startedMs) / 1000)}`,
  );
  const result = await Promise.race([runDemo(stack, screen, cleanup, flights.data), stack.broken]);
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  if (options.once) await leave(0);
  staying = true;
  screen.say(
    `\nStill running. The API is at ${stack.origin}/api/v1, its first key and authority in ${stack.access}. Ctrl-C ends it.`,
  );
  screen.say(`Look around, in another terminal:\n\n  ${commandLine(stack)} npx sallyportctl runs list flights\n`);
  await stack.broken;
} catch (thrown) {
  // What fails while everything ends was asked to: whoever asked says how it ends.
  if (!cleanup.signal.aborted) {
    screen.say();
    if (thrown instanceof SallyportError) console.error(`${thrown.code}: ${thrown.message}`);
    else console.error(thrown instanceof Error ? thrown.message : String(thrown));
    console.error(`Logs are in ${join(folder, "logs")}.`);
    await leave(1);
  }
}
