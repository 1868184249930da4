/** What the executors of an installed agent may do, tried by their own Node with their own flags; and what is seen from outside. */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { childrenOf, commandLine, descendantsOf, environment, limits, status, until } from "../processes.ts";
import type { RootCommand, RunCommand } from "./root.ts";

/** A warm executor's command line; those that wrap it have replaced themselves by then. */
export const executorOf = (agent: number): Promise<string[]> =>
  until("a warm executor", () =>
    childrenOf(agent)
      .map(commandLine)
      .find((args) => /(\/executor\.cjs|^@executor)$/.test(args.at(-1) ?? "")),
  );

const ERRNO = "(act) => { try { act(); return 'done'; } catch (error) { return error.code; } }";

/** A script that tries what no executor may, and prints what came of it. */
export const probe = (configuration: string, state: string, program: string): string => `
const fs = require("node:fs");
const refused = ${ERRNO};
process.stdout.write(JSON.stringify({
  permission: process.permission !== undefined,
  policy: refused(() => fs.readFileSync("${configuration}/policy.yaml")),
  keys: refused(() => fs.readdirSync("${state}/keys")),
  write: refused(() => fs.writeFileSync("${state}/run/x", "")),
  spawn: refused(() => require("node:child_process").spawnSync("/usr/bin/env")),
  program: refused(() => fs.readFileSync(${program})),
}));`;

const denied = "ERR_ACCESS_DENIED";
/** What it prints where an executor's flags hold. */
export const PROBED = {
  ...{ permission: true, policy: denied, keys: denied, write: denied, spawn: denied },
  program: "done",
};

/** The flags are the artefact's, and its Node holds them: it reads the program and nothing else, and writes nothing. */
export async function isConfined(
  run: RunCommand,
  agent: number,
  user: RootCommand["user"],
  version: string,
): Promise<void> {
  const app = `/opt/sallyport/versions/${version}/app`;
  const [node, ...flags] = (await executorOf(agent)).slice(0, -1);
  assert.equal(node, `/opt/sallyport/versions/${version}/node`);
  assert.ok(flags.includes("--permission") && flags.includes("--disable-sigusr1"), flags.join(" "));
  assert.deepEqual(
    flags.filter((flag) => flag.startsWith("--allow-")),
    [`--allow-fs-read=${app}`],
  );
  const script = probe("/etc/sallyport", "/var/lib/sallyport", 'process.argv[1] + "/serve.js"');
  const printed = await run({ args: [node!, ...flags, "--eval", script, app], user });
  assert.deepEqual(JSON.parse(printed), PROBED);
}

/** Of executors and supervisor: no core dumps, no capability, no way to get one. */
export async function isPowerless(agent: number): Promise<void> {
  await executorOf(agent);
  for (const pid of descendantsOf(agent))
    assert.match(limits(pid), /^Max core file size\s+0\s+0/m, commandLine(pid).join(" "));
  for (const pid of [agent, ...descendantsOf(agent)]) {
    assert.match(status(pid), /^CapEff:\s+0+$/m);
    assert.match(status(pid), /^CapBnd:\s+0+$/m);
    assert.match(status(pid), /^NoNewPrivs:\s+1$/m);
    assert.doesNotMatch(status(pid), /^Uid:\s+0\s/m);
  }
}

/** `secrets` stand in no argument and no variable of the agent's processes. */
export function areUnseen(agent: number, secrets: readonly string[]): void {
  for (const pid of [agent, ...descendantsOf(agent)]) {
    const seen = [...commandLine(pid), ...environment(pid)].join("\n");
    for (const secret of secrets)
      assert.ok(!seen.includes(secret), `${basename(commandLine(pid)[0] ?? "")} shows a secret`);
  }
}

/** Somebody's NODE_OPTIONS: the command runs as if it were not there; the bare program, given it, refuses. */
export async function ignoresForeignOptions(run: RunCommand, evil: string, wasLoaded: () => boolean): Promise<void> {
  const environment = { NODE_OPTIONS: `--require=${evil}` };
  assert.match(await run({ args: ["/usr/bin/sallyport", "version"], environment }), /^sallyport \d/);
  assert.equal(wasLoaded(), false);
  const current = "/opt/sallyport/current";
  const bare = run({
    args: [`${current}/node`, `${current}/app/sallyport.mjs`, "run"],
    environment: { NODE_OPTIONS: "--no-warnings" },
  });
  await assert.rejects(bare, /ended with 78[\s\S]*NODE_OPTIONS must not be set/);
}
