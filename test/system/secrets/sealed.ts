/**
 * A credential that the customer sealed never stands in clear on the orchestrator's side: not in the memory of its function
 * app, not in storage, queue, secret store or logs. Only the executor that signs in with it holds it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { localSecrets } from "@sallyport/cloud/src/secrets/local.ts";
import { agentEntry } from "../../e2e/agent/entry.ts";
import { readJournal } from "../../stack/agent.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { SITE, TENANT } from "../../stack/start.ts";
import { descendantsOf, held, until } from "../processes.ts";
import type { Check, Suite } from "../suite.ts";
import { CONNECTION, startWorld, type World } from "../world.ts";
import { encodings, type Needle } from "./encodings.ts";
import { scanFiles } from "./files.ts";
import { scanMemory } from "./memory.ts";

const PULLS = 5;
/** A scan that reads less has not read a Node process. */
const LEAST_BYTES = 20_000_000;

export const sealed: Suite = {
  name: "sealed",
  about: "a credential that the customer sealed, in the orchestrator's memory, storage, queue, secrets and logs",
  async run(check) {
    const cleanup = createCleanup();
    try {
      await runChecks(check, await startWorld("sealed", cleanup));
    } finally {
      await cleanup.run();
    }
  },
};

async function runChecks(check: Check, world: World): Promise<void> {
  const { stack, folder } = world;
  const agent = stack.agent.process.pid!;
  const password = encodings("password", world.password);
  const secretFiles = () => readSecrets(join(folder, "orchestrator"));

  await check(
    "the customer seals the password to the agent's fingerprint, and the platform stores the file",
    async () => {
      const file = await seal(world);
      await stack.api.post(`/tenants/${TENANT}/connections`, { id: CONNECTION, site: SITE, kind: "mssql" });
      await stack.api.put(`/tenants/${TENANT}/connections/${CONNECTION}/credential`, file);
      await world.definePull("quick", CONNECTION, "dbo.Marked");
      await world.definePull("slow", CONNECTION, "dbo.Slow");
    },
  );

  await check(`${PULLS} pulls sign in with it, and the journal has an unseal for each`, async () => {
    for (let pull = 0; pull < PULLS; pull += 1) await world.pull("quick");
    const unseals = readJournal(stack.agent.stateDir).filter(({ event }) => event === "unseal");
    assert.equal(unseals.length, PULLS);
  });

  await check(
    "in the middle of a session only its executor holds the password: no process of the orchestrator's",
    async () => {
      const { executor, run } = await world.hang("slow", agent);
      await until("the executor holds it", async () => {
        const { found } = await held(executor, () => scanMemory(executor, password));
        return found.length > 0;
      });
      await assertNowhere(orchestrators(agent), password);
      assert.deepEqual((await held(agent, () => scanMemory(agent, password))).found, [], "nor the supervisor");
      process.kill(executor, "SIGKILL");
      assert.equal((await world.runEnd(run)).state, "published");
    },
  );

  await check(
    "its secret store, opened with its own key, holds ciphertext; nor is it in storage, logs or any other file",
    async () => {
      const stored = await secretFiles();
      assert.match(stored, /"form":"sealed"/);
      assert.deepEqual(
        password.filter(({ bytes }) => Buffer.from(stored).includes(bytes)).map(({ name }) => name),
        [],
      );
      assert.deepEqual(
        scanFiles(folder, password, () => false),
        [],
      );
    },
  );

  await check(
    "counter-example: a password that is stored in clear is found in the memory and in the secret store",
    async () => {
      const planted = `planted-${randomBytes(18).toString("base64url")}`;
      const needles = encodings("planted", planted);
      await stack.api.post(`/tenants/${TENANT}/connections`, { id: "planted", site: SITE, kind: "mssql" });
      const path = `/tenants/${TENANT}/connections/planted/credential`;
      await until("it is found", async () => {
        await stack.api.put(path, { user: "svc", password: planted });
        const scans = await Promise.all(orchestrators(agent).map((pid) => held(pid, () => scanMemory(pid, needles))));
        return scans.some(({ found }) => found.length > 0);
      });
      assert.ok((await secretFiles()).includes(planted));
    },
  );
}

/** All that was started here, but for the agent and its executors. */
function orchestrators(agent: number): number[] {
  const own = new Set([agent, ...descendantsOf(agent)]);
  return descendantsOf(process.pid).filter((pid) => !own.has(pid));
}

async function assertNowhere(pids: readonly number[], needles: readonly Needle[]): Promise<void> {
  assert.ok(pids.length >= 1);
  let bytes = 0;
  for (const pid of pids) {
    const scan = await held(pid, () => scanMemory(pid, needles));
    assert.deepEqual(scan.found, [], `process ${pid}`);
    bytes += scan.bytes;
  }
  assert.ok(bytes > LEAST_BYTES, `${bytes} bytes were read`);
}

/** By the customer's own command line, with the password piped in. */
async function seal({ stack, folder, password }: World): Promise<unknown> {
  const state = stack.agent.stateDir;
  const { fingerprint } = JSON.parse(readFileSync(join(state, "run/status.json"), "utf8")) as { fingerprint: string };
  const out = join(folder, "sealed.json");
  const args = [
    "credential",
    "seal",
    "--state",
    state,
    "--connection",
    CONNECTION,
    "--agent",
    fingerprint,
    "--out",
    out,
  ];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", agentEntry(), ...args], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin.end(`${password}\n`);
  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 0);
  return JSON.parse(readFileSync(out, "utf8"));
}

/** What the orchestrator can read of its secrets itself. */
async function readSecrets(folder: string): Promise<string> {
  const path = join(folder, "secrets.json");
  const key = Buffer.from(readFileSync(join(folder, "secrets.key"), "utf8").trim(), "base64");
  const store = localSecrets(path, key, randomBytes);
  const names = Object.keys((JSON.parse(readFileSync(path, "utf8")) as { secrets: object }).secrets);
  return (await Promise.all(names.map(async (name) => (await store.get(name))?.value ?? ""))).join("\n");
}
