/** `npm run test:system`: invariants that only the running system can show. See `--help`. */
import { parseArgs } from "node:util";
import { agents } from "./agents/suite.ts";
import { azure } from "./azure/suite.ts";
import { bundle } from "./bundle/suite.ts";
import { crash } from "./crash/suite.ts";
import { directory } from "./directory/suite.ts";
import { faults } from "./faults/suite.ts";
import { install } from "./install/suite.ts";
import { journal } from "./journal/suite.ts";
import { msi } from "./msi/suite.ts";
import { mssqlWrite } from "./mssql-write/suite.ts";
import { network } from "./network/suite.ts";
import { sealed } from "./secrets/sealed.ts";
import { secrets } from "./secrets/suite.ts";
import { servicebus } from "./servicebus/suite.ts";
import { runSideBySide } from "./side-by-side.ts";
import { soak } from "./soak/suite.ts";
import { stack } from "./stack/suite.ts";
import { runSuites, type Suite, summary } from "./suite.ts";
import { tds } from "./tds/suite.ts";
import { wine } from "./wine/suite.ts";

/** The longest first: with `--jobs` the others fill the time beside it. */
const SUITES: readonly Suite[] = [
  bundle,
  crash,
  stack,
  install,
  agents,
  faults,
  directory,
  secrets,
  network,
  wine,
  soak,
  journal,
  mssqlWrite,
  msi,
  sealed,
  servicebus,
  azure,
  tds,
];

const HELP = `Checks invariants of the running system on this machine: the whole stack on loopback, looked at from outside through
/proc and strace. Linux only; needs strace, prlimit, setpriv and FreeTDS (freetds-bin), and the right to trace its own processes.
What directory (Samba), msi, wine and install need besides is installed by apt-get where it is missing. Directory's ports are of a
network namespace of its own, where it may make one.

  npm run test:system                       all suites, one after the other
  npm run test:system -- secrets network    the named ones
  npm run test:system -- crash --seed 7     with kills drawn from this seed; --kills N draws as many
  npm run test:system -- soak --minutes 10  as long, with the faults that take a minute each
  npm run test:system -- --jobs 2           two suites at a time, each in a process of its own

${SUITES.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join("\n")}

It prints one line for each check and ends with "N passed, N failed"; the exit code is 1 where a check failed.
`;

const { values, positionals } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    seed: { type: "string" },
    kills: { type: "string" },
    minutes: { type: "string" },
    jobs: { type: "string" },
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
const options = {
  ...wholeNumber("seed", values.seed),
  ...wholeNumber("kills", values.kills),
  ...wholeNumber("minutes", values.minutes),
};
const { jobs = 1 } = wholeNumber("jobs", values.jobs);
const say = (line: string): void => console.log(line);
const tally =
  jobs > 1
    ? await runSideBySide(
        chosen,
        jobs,
        Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]),
        say,
      )
    : await runSuites(chosen, say, options);
console.log(`\n${summary(tally)}`);
process.exit(tally.failed === 0 ? 0 : 1);

function wholeNumber<Name extends string>(name: Name, text: string | undefined): { [N in Name]?: number } {
  if (text === undefined) return {};
  if (/^\d{1,10}$/.test(text)) return { [name]: Number(text) } as { [N in Name]?: number };
  console.error(`--${name} takes a whole number, not ${text}`);
  return process.exit(64);
}
