/** `npm run bench`: see `--help`. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { benchDirectory } from "./directory.ts";
import { benchFleet } from "./fleet.ts";
import { benchFootprint } from "./footprint.ts";
import { benchLosses } from "./losses.ts";
import { benchMemory } from "./memory.ts";
import { benchPull, profilePull } from "./pull.ts";
import { type Measured, resultOf, tableOf, writeResults } from "./results.ts";
import { ROOT } from "./site.ts";
import { benchSmall } from "./small.ts";
import { benchTick } from "./tick/bench.ts";
import { benchWrite } from "./write.ts";

const HELP = `Measures Sallyport on this machine, whole, on loopback, and writes bench/results.json.

  npm run bench -- pull         rows a second against mssql writing NDJSON; CPU, peak memory, bytes on the wire
  npm run bench -- write        rows a second of sql.write against mssql's own bulk insert, CPU, peak memory
  npm run bench -- memory       peak memory while 5 GB pass, against 0.5 GB; needs 7 GB of disk
  npm run bench -- footprint    the idle agent from bundle, package and executable: time to ready, memory, sizes, packages
  npm run bench -- small        a query of one row from end to end: latency, CPU, sessions a second
  npm run bench -- losses       rows lost and repeated while each slice of a table loses a session; memory
  npm run bench -- fleet        many agents against one function host: CPU, storage operations, memory
  npm run bench -- directory    entries a second of ad.search against ldapsearch; CPU, peak memory of the executor
  npm run bench -- tick         the scheduler's storage operations and CPU, 100 due of 1,000, 10,000 and 100,000 pulls

  --rows N         rows of pull, write and losses (1000000)
  --pulls N        the most pulls of tick (100000)
  --entries N      entries of directory (50000)
  --agents N       agents of fleet (1000)
  --runs N         runs of each, medians are given (pull 5, write 3, memory 1, footprint 5, small 20, tick 3, directory 5)
  --profile DIR    pull: in place of measuring, one run with CPU profiles of every process, kept in DIR
  --json           print the results as JSON
`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "1000000" },
    pulls: { type: "string", default: "100000" },
    entries: { type: "string", default: "50000" },
    agents: { type: "string", default: "1000" },
    runs: { type: "string" },
    profile: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

const [scenario = "", ...more] = positionals;
const say = (line: string): void => {
  if (!options.json) process.stdout.write(`  ${line}\n`);
};

const SCENARIOS: Readonly<Record<string, () => Promise<Measured[]>>> = {
  pull: () => benchPull({ rows: count(options.rows), runs: runs(5), say }),
  write: () => benchWrite({ rows: count(options.rows), runs: runs(3), say }),
  memory: () => benchMemory({ runs: runs(1), say }),
  footprint: () => benchFootprint({ runs: runs(5), say }),
  small: () => benchSmall({ runs: runs(20), say }),
  directory: () => benchDirectory({ entries: count(options.entries), runs: runs(5), say }),
  fleet: () => benchFleet({ agents: count(options.agents), say }),
  losses: () => benchLosses({ rows: count(options.rows), say }),
  tick: () => benchTick({ runs: runs(3), pulls: count(options.pulls), say }),
};

const bench = more.length === 0 && Object.hasOwn(SCENARIOS, scenario) ? SCENARIOS[scenario] : undefined;
if (options.help || bench === undefined) {
  (options.help ? process.stdout : process.stderr).write(HELP);
  process.exit(options.help ? 0 : 64);
}
if (process.platform !== "linux") fail("The benchmarks read /proc, which only Linux has.");
if (scenario === "pull" && options.profile !== undefined) {
  process.stdout.write(`${await profilePull(count(options.rows), resolve(options.profile))}\n`);
  process.exit(0);
}
const measured = await bench();
const results = measured.map((one) => resultOf(scenario, one));
const file = join(ROOT, "bench", "results.json");
writeResults(file, scenario, results);
process.stdout.write(options.json ? `${JSON.stringify(results)}\n` : `\n${tableOf(results)}\n\nWritten to ${file}\n`);
process.exit(0);

function runs(otherwise: number): number {
  return options.runs === undefined ? otherwise : count(options.runs);
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) fail(`${text} is no number of rows, pulls, entries, agents or runs.`);
  return value;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(64);
}
