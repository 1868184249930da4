import { once } from "node:events";
import { createInterface } from "node:readline";
import { startOptions, startServiceBus } from "./start.ts";

/**
 * The emulator as a process of its own. The first line of stdin is a JSON object with the options of
 * `startServiceBus`; one line of JSON on stdout, `{ port, connectionString }`, says that it is ready.
 * It ends, with everything committed, on SIGTERM, on SIGINT, and when stdin closes: whoever started
 * it may die without a word.
 */
const lines = createInterface({ input: process.stdin });
const stdinClosed = once(lines, "close");
const [line] = await Promise.race([once(lines, "line"), stdinClosed]);
if (typeof line !== "string") process.exit(64);

const { port, connectionString, close } = await startServiceBus(startOptions.parse(JSON.parse(line)));
process.stdout.write(`${JSON.stringify({ port, connectionString })}\n`);

await Promise.race([stdinClosed, once(process, "SIGTERM"), once(process, "SIGINT")]);
await close();
lines.close();
process.stdin.destroy();
