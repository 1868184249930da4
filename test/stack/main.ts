/** `npm start`: the whole of Sallyport on this machine. See `--help`. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";
import { createCleanup } from "./cleanup.ts";
import { FLIGHTS, runDemo } from "./demo.ts";
import { freshFolder } from "./folders.ts";
import { type RealAddress, takeRealAddress } from "./real-address.ts";
import { DEMO_SCHEMA, openRealServer } from "./real-server.ts";
import { createScreen, seconds } from "./screen.ts";
import type { Source } from "./source.ts";
import { startStack, startStackOn } from "./start.ts";

const HELP = `Starts the whole of Sallyport on this machine: an orchestrator and its Azure services, a relay, an agent, and a SQL Server
with sample data, all on loopback. A pull runs through all of it, something changes, and a second run picks up just that.

  npm start                     stay up afterwards, until Ctrl-C
  npm start -- --once           end after the pulls
  npm start -- --once --json    print one JSON object as the last line

In the environment:
  SALLYPORT_DEMO_ROWS   how many flights the sample has (${FLIGHTS}; 1000 at least)
  SALLYPORT_MSSQL       mssql://user:password@host:port/database?encrypt=true&trustServerCertificate=false
                        a SQL Server to use instead of the emulator. The schema ${DEMO_SCHEMA}, with two tables, is made
                        there and dropped at the end, and so is a login that reads it, where that is allowed.
`;

const { values: options } = parseArgs({
  options: { once: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
});
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

const screen = createScreen(process.stdout, options.json === true);
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

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = freshFolder(root, new Date(), process.pid);
// Whatever a part of the stack puts into the temporary folder stays in ours.
process.env.TMPDIR = join(folder, "tmp");
mkdirSync(process.env.TMPDIR);

try {
  const startedMs = performance.now();
  screen.say(`Sallyport on this machine, in ${folder}`);
  const stackOptions = { folder, cleanup, onStep: (step: string) => screen.step(`  starting: ${step}`) };
  const stack = address ? await startStackOn(await realSource(address), stackOptions) : await startStack(stackOptions);
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
