/** `npm run test:system`: invariants that only the running system can show. See `--help`. */
import { parseArgs } from "node:util";
import { journal } from "./journal/suite.ts";
import { network } from "./network/suite.ts";
import { secrets } from "./secrets/suite.ts";
import { servicebus } from "./servicebus/suite.ts";
import { stack } from "./stack/suite.ts";
import { runSuites, type Suite } from "./suite.ts";
import { tds } from "./tds/suite.ts";

const SUITES: readonly Suite[] = [stack, secrets, network, journal, tds, servicebus];

const HELP = `Checks invariants of the running system on this machine: the whole stack on loopback, looked at from outside through
/proc and strace. Linux only; needs strace, prlimit, setpriv and FreeTDS (freetds-bin), and the right to trace its own processes.

  npm run test:system                       all suites, one after the other
  npm run test:system -- secrets network    the named ones

${SUITES.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join("\n")}

It prints one line for each check and ends with "N passed, N failed"; the exit code is 1 where a check failed.
`;

const { values, positionals } = parseArgs({
  options: { help: { type: "boolean", short: "h" } },
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
const { passed, failed } = await runSuites(chosen, (line) => console.log(line));
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
