/** `npm run test:system`: invariants that only the running system can show. See `--help`. */
import { parseArgs } from "node:util";
import { agents } from "./agents/suite.ts";
import { bundle } from "./bundle/suite.ts";
import { crash } from "./crash/suite.ts";
import { faults } from "./faults/suite.ts";
import { journal } from "./journal/suite.ts";
import { mssqlWrite } from "./mssql-write/suite.ts";
import { network } from "./network/suite.ts";
import { sealed } from "./secrets/sealed.ts";
import { secrets } from "./secrets/suite.ts";
import { servicebus } from "./servicebus/suite.ts";
import { soak } from "./soak/suite.ts";
import { stack } from "./stack/suite.ts";
import { runSuites, type Suite, type SuiteOptions } from "./suite.ts";
import { tds } from "./tds/suite.ts";

const SUITES: readonly Suite[] = [
  stack,
  bundle,
  secrets,
  sealed,
  network,
  faults,
  journal,
  tds,
  mssqlWrite,
  servicebus,
  agents,
  crash,
  soak,
];

const HELP = `Checks invariants of the running system on this machine: the whole stack on loopback, looked at from outside through
/proc and strace. Linux only; needs strace, prlimit, setpriv and FreeTDS (freetds-bin), and the right to trace its own processes.

  npm run test:system                       all suites, one after the other
  npm run test:system -- secrets network    the named ones
  npm run test:system -- crash --seed 7     with kills drawn from this seed; --kills N draws as many
  npm run test:system -- soak --minutes 10  as long, with the faults that take a minute each

${SUITES.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join("\n")}

It prints one line for each check and ends with "N passed, N failed"; the exit code is 1 where a check failed.
`;

const { values, positionals } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    seed: { type: "string" },
    kills: { type: "string" },
    minutes: { type: "string" },
  },
  allowPositionals: true,
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const unknown = positionals.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(", ")}: ${SUITES.map(({ name }) => name).join(", ")}`);
  process.exit(64);
}
const chosen = SUITES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const { passed, failed } = await runSuites(chosen, (line) => console.log(line), {
  ...wholeNumber("seed", values.seed),
  ...wholeNumber("kills", values.kills),
  ...wholeNumber("minutes", values.minutes),
});
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function wholeNumber(name: keyof SuiteOptions, text: string | undefined): SuiteOptions {
  if (text === undefined) return {};
  if (/^\d{1,10}$/.test(text)) return { [name]: Number(text) };
  console.error(`--${name} takes a whole number, not ${text}`);
  return process.exit(64);
}
