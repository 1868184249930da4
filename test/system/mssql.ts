/**
 * `npm run test:mssql`: whether the connector for SQL Server does what docs/connectors/mssql.md says, against the emulator
 * over TLS, or the server that SALLYPORT_TEST_MSSQL names. Prints every operation, mode and type with its cases, what this
 * server cannot do and what that leaves out. Exit code 1 where a case failed.
 */
import { takeRealAddress } from "../stack/real-address.ts";
import type { Case } from "./mssql/case.ts";
import { modes } from "./mssql/modes.ts";
import { operations } from "./mssql/operations.ts";
import { ABILITIES, type Ability, openServer, type Server } from "./mssql/server.ts";
import { types } from "./mssql/types.ts";

const GROUPS: readonly (readonly [title: string, cases: readonly Case[]])[] = [
  ["Operations", operations],
  ["Modes", modes],
  ["Types", types],
];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function runCases(server: Server): Promise<{ passed: number; failed: number; out: number }> {
  const tally = { passed: 0, failed: 0, out: 0 };
  for (const [title, cases] of GROUPS) {
    say(`\n${title}`);
    for (const each of cases) {
      const lacks = each.needs?.find((ability) => !server.abilities.has(ability));
      const line = `${each.of.padEnd(20)}${each.name}`;
      if (lacks !== undefined) {
        tally.out++;
        say(`  left out  ${line}  (${lacks})`);
        continue;
      }
      try {
        await each.run(server);
        tally.passed++;
        say(`  ok        ${line}`);
      } catch (thrown) {
        tally.failed++;
        say(`  FAILED    ${line}\n${thrown instanceof Error ? thrown.stack : String(thrown)}`);
      }
    }
  }
  return tally;
}

let address: ReturnType<typeof takeRealAddress>;
try {
  address = takeRealAddress(process.env, "SALLYPORT_TEST_MSSQL");
} catch (thrown) {
  console.error((thrown as Error).message);
  process.exit(64);
}
const server = await openServer(address);
try {
  const [version] = await server.run("SELECT @@VERSION AS text");
  say(`${server.what}, schema ${server.schema}`);
  say(String(version?.text).split("\n")[0] ?? "");
  const missing = (Object.keys(ABILITIES) as Ability[]).filter((ability) => !server.abilities.has(ability));
  for (const ability of missing) say(`without ${ability}: ${ABILITIES[ability]}`);
  const { passed, failed, out } = await runCases(server);
  say(`\n${passed} passed, ${failed} failed, ${out} left out`);
  if (failed > 0) process.exitCode = 1;
} finally {
  await server.close();
}
