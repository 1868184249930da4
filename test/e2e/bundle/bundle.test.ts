/** The bundles by themselves: what is in them, that nothing else is needed to run them, and that a second build is the same. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { executorCommand } from "@sallyport/agent/src/supervisor/executor-command.ts";
import { AGENT_MAIN, buildAgent, EXECUTOR_MAIN } from "../../build/agent.ts";
import type { Bundle } from "../../build/bundle.ts";
import { buildCloud } from "../../build/cloud.ts";
import { withoutCache } from "../../build/hyco.ts";
import { indexApp } from "../../build/index-app.ts";
import { SOURCES } from "../../stack/program.ts";

// Outside the repository: no node_modules lies there, nor in any folder above.
/** What the executor's module starts. */
const EXECUTOR_SCRIPT = "serve.js";
const folder = mkdtempSync(join(tmpdir(), "sallyport-bundle-"));
let agent: Bundle;
let cloud: Bundle;
before(async () => {
  [agent, cloud] = await Promise.all([buildAgent(join(folder, "agent")), buildCloud(join(folder, "cloud"))]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) =>
  spawnSync(process.execPath, args, { cwd: folder, env: {}, encoding: "utf8", timeout: 60_000 });

/** V8 writes its cache a little differently each time. */
const isCodeCache = (name: string) => name.endsWith(".cache");

const digests = (bundle: string) =>
  readdirSync(bundle).map((name) => [
    name,
    isCodeCache(name) ||
      createHash("sha256")
        .update(readFileSync(join(bundle, name)))
        .digest("hex"),
  ]);

test("a second build elsewhere gives the same bytes, but for the compiled code, and none names this machine's folders", async () => {
  const again = join(folder, "again");
  await Promise.all([buildAgent(join(again, "agent")), buildCloud(join(again, "cloud"))]);
  for (const name of ["agent", "cloud"])
    assert.deepEqual(digests(join(again, name)), digests(join(folder, name)), name);
  const text = readdirSync(agent.folder).map((name) => readFileSync(join(agent.folder, name), "latin1"));
  assert.ok(!text.some((each) => each.includes(SOURCES.app) || each.includes(folder)));
});

test("the agent holds fewer than 60 packages, none of Azure's, in less than 2 MB", () => {
  assert.ok(agent.packages.length > 10 && agent.packages.length < 60, agent.packages.join(" "));
  assert.deepEqual(
    agent.packages.filter((name) => name.startsWith("@azure/")),
    [],
  );
  assert.equal(agent.packages.filter((name) => name.startsWith("tedious@")).length, 1);
  assert.ok(agent.javascriptBytes < 2e6, `${agent.javascriptBytes}`);
});

test("the supervisor and the command line reach no file with the SQL driver; the executor does", () => {
  const driver = (name: string) => readFileSync(join(agent.folder, name), "utf8").includes("sendLogin7Packet");
  assert.deepEqual([...reached(AGENT_MAIN)].filter(driver), []);
  assert.ok(![...reached(AGENT_MAIN)].includes(EXECUTOR_SCRIPT));
  assert.ok(driver(EXECUTOR_SCRIPT));
});

/** The files that one loads, now or later, and those that these load. */
function reached(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const text = readFileSync(join(agent.folder, entry), "utf8");
  for (const [, name] of text.matchAll(/(?:from|import)\s*\(?"\.\/([\w-]+\.mjs)"/g)) reached(name!, seen);
  return seen;
}

test("the agent's command line runs where nothing else is", () => {
  const { status, stdout, stderr } = run(join(agent.folder, AGENT_MAIN), "version");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^sallyport \d/);
});

describe("an executor", {
  skip: process.platform !== "linux" && "needs a pipe as the supervisor makes it",
}, () => {
  let copy: string;
  let cache: string;
  beforeEach(() => {
    copy = join(folder, "copy");
    cpSync(agent.folder, copy, { recursive: true });
    cache = join(copy, readdirSync(copy).find(isCodeCache)!);
  });
  afterEach(() => rmSync(copy, { recursive: true }));

  test("takes the compiled code, and gives its right to read back once it has loaded the driver", async () => {
    assert.equal(await loaded(copy), LOADED.fromCache);
  });

  test("of a Node that the bundle was not built with loads without compiled code", async () => {
    rmSync(cache);
    assert.equal(await loaded(copy), LOADED.withoutCache);
  });

  test("loads where V8 refuses the compiled code: another version's, cut short, or no such thing", async () => {
    const bytes = readFileSync(cache);
    // The second word is a hash of V8's version.
    const other = Buffer.from(bytes);
    other.writeUInt32LE(~bytes.readUInt32LE(4) >>> 0, 4);
    for (const wrong of [other, bytes.subarray(0, bytes.length >> 1), bytes.subarray(0, 7), Buffer.alloc(0)]) {
      writeFileSync(cache, wrong);
      assert.equal(await loaded(copy), LOADED.refusingCache, `${wrong.length}`);
    }
  });
});

/** How the probe's process ends, once all is loaded and what could be read before can be read no more. */
const LOADED = { fromCache: 90, refusingCache: 91, withoutCache: 92 };

async function loaded(bundle: string): Promise<number> {
  const [module, probe] = [join(bundle, EXECUTOR_MAIN), join(bundle, "probe.mjs")];
  writeFileSync(
    probe,
    `import vm from "node:vm";
    const { permission } = process;
    const { drop } = permission;
    const { Script } = vm;
    let refused;
    vm.Script = class extends Script {
      constructor(...given) {
        super(...given);
        refused = this.cachedDataRejected;
      }
    };
    permission.drop = (scope) => {
      const before = permission.has("fs.read", import.meta.filename);
      drop.call(permission, scope);
      if (!before || permission.has("fs.read", import.meta.filename)) process.exit(98);
      process.exit(refused === undefined ? ${LOADED.withoutCache} : refused ? ${LOADED.refusingCache} : ${LOADED.fromCache});
    };`,
  );
  const { execPath, execArgv } = executorCommand(384, process.platform, { module, readable: [bundle] });
  const child = spawn(execPath, [...execArgv, `--import=${probe}`, module], {
    env: {},
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const [code] = (await once(child, "exit")) as [number];
  return code;
}

test("help loads every verb there", () => {
  const { status, stdout, stderr } = run(join(agent.folder, AGENT_MAIN), "--help");
  assert.equal(status, 0, stderr);
  for (const verb of ["enroll", "run", "status", "policy", "journal"])
    assert.match(stdout, new RegExp(`^  ${verb}\\b`, "m"));
});

test("the function app registers what its sources do, with the same bindings and access levels", async () => {
  const [bundled, source] = await Promise.all([indexApp(cloud.folder), indexApp(SOURCES.app)]);
  assert.ok(source.functions.length > 10);
  assert.deepEqual(bundled.functions, source.functions);
  assert.deepEqual(
    readdirSync(cloud.folder).filter((name) => name === "node_modules"),
    [],
  );
});

test("OpenTelemetry is in a file of its own, which only a setting makes the function app load", () => {
  const holds = (name: string) => readFileSync(join(cloud.folder, name), "utf8").includes("maxExportBatchSize");
  assert.deepEqual(
    readdirSync(cloud.folder).filter((name) => name.endsWith(".js") && holds(name)),
    ["otel.js"],
  );
});

test("the function app's host settings are those of the sources", () => {
  const read = (from: string) => JSON.parse(readFileSync(join(from, "host.json"), "utf8")) as unknown;
  assert.deepEqual(read(cloud.folder), read(SOURCES.app));
});

test("a hyco-ws that finds its parts some other way is not bundled", () => {
  assert.throws(() => withoutCache("const { Extensions } = require('ws');"), /some other way/);
  assert.equal(
    withoutCache("var wsc = require.cache[require.resolve('ws')]\r\nconst E = wsc.require('./lib/Extensions');"),
    "\nconst E = require('ws/lib/Extensions');",
  );
});
