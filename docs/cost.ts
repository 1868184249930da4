/** A calculator of what an installation costs a month: `npx node docs/cost.ts --help`. Prices are options; docs/cost.md says where they come from. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** How much there is. */
export const AMOUNTS = {
  sites: [100, "places of customers"],
  agents: [1, "agents of each site"],
  pulls: [5, "pulls of each site"],
  every: [15, "minutes between two runs of a pull"],
  seconds: [20, "seconds that a run takes"],
  megabytes: [0.3, "megabytes of a run, as sent by the agent"],
  parallel: [8, "claims that share an instance"],
  memory: [2, "gigabytes of an instance"],
  kept: [30, "days that results are kept"],
  "logged-reads": [0, "1 where reads of storage are logged too"],
} as const satisfies Record<string, readonly [number, string]>;

/** USD; those that docs/cost.md does not name as read are from memory. */
export const PRICES = {
  listener: [9.78, "a connected listener, a month"],
  "listener-gb": [5, "gigabytes that come with it"],
  "relay-gb": [1, "a gigabyte beyond"],
  "gb-second": [0.000026, "a gigabyte of an instance for a second"],
  calls: [0.4, "a million calls of functions"],
  "service-bus": [9.81, "Service Bus, a month, with 13 million operations"],
  "bus-operations": [0.8, "a million operations beyond"],
  "table-operations": [0.036, "100,000 operations on tables"],
  "blob-gb": [0.0184, "a gigabyte of blobs, a month"],
  "blob-writes": [0.05, "10,000 writes of blobs"],
  "vault-operations": [0.03, "10,000 operations of the vault"],
  "log-gb": [2.76, "a gigabyte of logs"],
} as const satisfies Record<string, readonly [number, string]>;

export type Amounts = { readonly [K in keyof typeof AMOUNTS]: number };
export type Prices = { readonly [K in keyof typeof PRICES]: number };

const DAYS = 30;
const MINUTES = DAYS * 24 * 60;
/** What a run takes beside its rows: estimated from what the code does. Its lines are kept unsampled: a request, the host's two, its own. */
const RUN = {
  ...{ tableReads: 15, tableWrites: 10, busOperations: 6, blobWrites: 6, blobReads: 6 },
  ...{ vaultOperations: 2, logKilobytes: 10, calls: 1 },
};
/** While its session runs, somebody looks for a cancel twice a second (pulls/settings.ts), which is a read of a table. */
const CANCEL_READS = 2;
/** A line of a storage account's or the vault's log. */
const LOG_LINE_KILOBYTES = 1;
/** A canary: a connection counts this much at the relay at least, and two operations on tables. */
const CANARY = { minutes: 5, kilobytes: 64, tableReads: 0, tableWrites: 2 };
/** Three timers run each minute, each on an instance of its own; an agent asks for a token each quarter of an hour. */
const TIMERS = 3;
const TIMER_SECONDS = 2;
const TOKEN_MINUTES = 15;

/** USD a month, by part. */
export function costOf(amounts: Amounts, prices: Prices): Readonly<Record<string, number>> {
  const agents = amounts.sites * amounts.agents;
  const runs = amounts.sites * amounts.pulls * (MINUTES / amounts.every);
  const canaries = agents * (MINUTES / CANARY.minutes);
  const tokens = agents * (MINUTES / TOKEN_MINUTES);
  const relayGb = (runs * Math.max(amounts.megabytes, 0.064)) / 1000 + (canaries * CANARY.kilobytes) / 1e6;
  const gbSeconds =
    (runs * amounts.seconds * amounts.memory) / amounts.parallel + TIMERS * MINUTES * TIMER_SECONDS * amounts.memory;
  const tableReads = runs * (RUN.tableReads + CANCEL_READS * amounts.seconds) + canaries * CANARY.tableReads;
  const tableWrites = runs * RUN.tableWrites + canaries * CANARY.tableWrites;
  const storageLines = tableWrites + runs * RUN.blobWrites;
  const readLines = amounts["logged-reads"] * (tableReads + runs * RUN.blobReads);
  const logLines = storageLines + readLines + runs * RUN.vaultOperations;
  const beyond = (value: number, free: number) => Math.max(0, value - free);
  const storedGb = (runs * amounts.megabytes * amounts.kept) / DAYS / 1000;
  return {
    "relay: listeners": agents * prices.listener,
    "relay: traffic": beyond(relayGb, agents * prices["listener-gb"]) * prices["relay-gb"],
    functions: gbSeconds * prices["gb-second"] + ((runs * RUN.calls + tokens + TIMERS * MINUTES) / 1e6) * prices.calls,
    "Service Bus": prices["service-bus"] + (beyond(runs * RUN.busOperations, 13e6) / 1e6) * prices["bus-operations"],
    tables: ((tableReads + tableWrites) / 1e5) * prices["table-operations"],
    blobs: storedGb * prices["blob-gb"] + ((runs * RUN.blobWrites) / 1e4) * prices["blob-writes"],
    "Key Vault": ((runs * RUN.vaultOperations) / 1e4) * prices["vault-operations"],
    logs: ((runs * RUN.logKilobytes + logLines * LOG_LINE_KILOBYTES) / 1e6) * prices["log-gb"],
  };
}

export const defaults = <T extends Readonly<Record<string, readonly [number, string]>>>(table: T) =>
  Object.fromEntries(Object.entries(table).map(([name, [value]]) => [name, value])) as {
    readonly [K in keyof T]: number;
  };

/** Parts with their shares, the dearest first, and the sum. */
export function table(cost: Readonly<Record<string, number>>): string {
  const sum = Object.values(cost).reduce((total, part) => total + part, 0);
  const line = (name: string, part: number) =>
    `${name.padEnd(18)}${part.toFixed(2).padStart(12)}${`${((part / sum) * 100).toFixed(0)} %`.padStart(8)}`;
  const parts = Object.entries(cost).sort(([, a], [, b]) => b - a);
  return [...parts.map(([name, part]) => line(name, part)), line("USD a month", sum)].join("\n");
}

function main(): void {
  const all = { ...AMOUNTS, ...PRICES };
  const help = Object.entries(all).map(([name, [value, what]]) => `  --${name.padEnd(18)}${what} (${value})`);
  const options = Object.fromEntries(Object.keys(all).map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ options: { ...options, help: { type: "boolean", short: "h" } } });
  if (values.help === true) {
    console.log(`What an installation costs a month, in USD.\n\n${help.join("\n")}`);
    return;
  }
  const given = Object.entries(values).map(([name, text]) => [name, Number(text)] as const);
  const wrong = given.find(([, value]) => !(value >= 0));
  if (wrong !== undefined) {
    console.error(`--${wrong[0]} takes a number.`);
    process.exit(64);
  }
  const said = Object.fromEntries(given);
  console.log(table(costOf({ ...defaults(AMOUNTS), ...said }, { ...defaults(PRICES), ...said })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
