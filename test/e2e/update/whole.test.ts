/**
 * An update from end to end: the real bundles in an installation of their own, the real function app, a release that the platform team
 * adds and lets go, `sallyport update` as its owner types it, the updater as its unit starts it, and the orchestrator's own canary.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { layoutIn, versionFolder } from "@sallyport/agent/src/install/layout.ts";
import { versionOf } from "@sallyport/agent/src/update/files.ts";
import { stagedPart, updatePlaces } from "@sallyport/agent/src/update/places.ts";
import type { AgentView } from "@sallyport/shared/schema/api-views.ts";
import { buildAgent } from "../../build/agent.ts";
import {
  drawPublisherKey,
  MANIFEST,
  type ReleaseOf,
  SIGNATURE,
  writeArchive,
  writeManifest,
} from "../../build/manifest.ts";
import { filesOf } from "../../build/release/entries.ts";
import { createCleanup } from "../../stack/cleanup.ts";
import { SITE, type Stack, startStack, TENANT } from "../../stack/start.ts";
import { PLATFORM } from "./machine.ts";
import { type ServiceManager, startServiceManager } from "./service-manager.ts";

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe("an update from end to end", { timeout: 540_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-update-whole-"));
  const layout = layoutIn(join(folder, "machine"));
  const places = updatePlaces(layout);
  const publisher = drawPublisherKey();
  let stack: Stack;
  let services: ServiceManager;
  let id = "";

  const sallyport = (args: readonly string[], input = ""): Promise<Said> =>
    new Promise((resolve) => {
      const main = join(layout.current, "app/sallyport.mjs");
      const env = { PATH: `${services.bin}:${process.env.PATH}` };
      const words = ["--disable-warning=ExperimentalWarning", main, ...args, "--state", layout.state];
      const child = execFile(process.execPath, words, { env, timeout: 300_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
      );
      child.stdin?.end(input);
    });
  const agentThere = async (): Promise<AgentView> => {
    const all = await stack.api.get<AgentView[]>(`/tenants/${TENANT}/sites/${SITE}/agents`);
    return all.find((agent) => agent.id === id) ?? assert.fail("the agent is not listed");
  };

  /** A version's folder as an installation has it; its Node is the one that runs the test. */
  async function program(version: string, into: string): Promise<string> {
    await buildAgent(join(into, "app"), { version, releaseKeys: [publisher.publicLine] });
    writeFileSync(join(into, "node"), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
    return into;
  }

  before(async () => {
    stack = await startStack({ folder: join(folder, "stack"), cleanup });
    const { root } = versionFolder(layout, "1.0.0");
    for (const each of [root, layout.state, layout.configuration]) mkdirSync(each, { recursive: true });
    await program("1.0.0", root);
    for (const link of [places.current, places.updater]) symlinkSync("versions/1.0.0", link);
    services = await startServiceManager({
      ...{ folder, program: layout.program, state: layout.state },
      environment: { PATH: process.env.PATH ?? "" },
    });
    cleanup.add(services, (it) => it.close());
    const { code } = await stack.api.post<{ code: string }>(`/tenants/${TENANT}/sites/${SITE}/codes`, {
      autoApprove: true,
    });
    const caFile = join(folder, "stack/ca.pem");
    const rendezvous = `localhost:${stack.relay.rendezvousPort}`;
    const words = [
      "enroll",
      "--origin",
      stack.origin,
      "--code-file",
      "-",
      "--ca",
      caFile,
      "--rendezvous-host",
      rendezvous,
      "--json",
    ];
    const enrolled = await sallyport(words, `${code}\n`);
    assert.equal(enrolled.code, 0, enrolled.stderr);
    id = (JSON.parse(enrolled.stdout) as { agent: string }).agent;
    for (const name of ["agent.yaml", "policy.yaml"])
      cpSync(join(layout.state, name), join(layout.configuration, name));
    services.start();
    await stack.relay.listening(`a-${id}`, new AbortController().signal);
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  /** As the platform team gets it from the publisher, and lets it go. */
  async function release(version: string, ring: string | null, change: Partial<ReleaseOf> = {}): Promise<string> {
    const made = mkdtempSync(join(folder, "release-"));
    const from = await program(version, join(made, "program"));
    const entries = filesOf(from, "v").map((entry) => ({ ...entry, path: entry.path.slice("v/".length) }));
    const file = writeArchive(made, entries, { version, platform: PLATFORM, epochSeconds: 0 });
    const all: ReleaseOf = {
      version,
      channel: "stable",
      ring: "broad",
      minimum: "1.0.0",
      notBefore: new Date(0),
      ...change,
    };
    writeManifest(made, all, [file], publisher.privateKey);
    const body = {
      manifest: readFileSync(join(made, MANIFEST), "utf8"),
      signature: readFileSync(join(made, SIGNATURE), "utf8"),
    };
    const at = `/releases/${all.channel}/${version}/ring`;
    const { upload } = await stack.api.post<{ upload: { name: string; url: string }[] }>("/releases", body);
    await assert.rejects(stack.api.put(at, { ring: "broad" }), /files of version .* are missing/i);
    for (const { name, url } of upload) {
      const answer = await fetch(url, {
        method: "PUT",
        body: readFileSync(join(made, name)),
        headers: { "x-ms-blob-type": "BlockBlob" },
      });
      assert.equal(answer.status, 201, await answer.text());
    }
    const again = await stack.api.post<{ upload: unknown[] }>("/releases", body);
    assert.deepEqual(again.upload, []);
    await stack.api.put(at, { ring });
    return file.sha256;
  }

  it("what was not let go, or not as far as this agent's ring, is not there for it", async () => {
    await release("1.1.0", "early");
    const checked = await sallyport(["update", "check", "--json"]);
    assert.equal(checked.code, 0, checked.stderr);
    assert.deepEqual(JSON.parse(checked.stdout), {
      installed: "1.0.0",
      newest: null,
      mode: "notify",
      releases: [],
      refused: [],
    });
    const applied = await sallyport(["update", "apply", "--version", "1.1.0"]);
    assert.equal(applied.code, 77);
    assert.match(applied.stderr, /There is no release 1\.1\.0 for this agent\.\n {2}update\.refused/);
  });

  it("is downloaded, applied, and proven by the orchestrator's canary", async () => {
    await stack.api.put("/releases/stable/1.1.0/ring", { ring: "broad" });
    const checked = await sallyport(["update", "check"]);
    assert.match(checked.stdout, /Newest +1\.1\.0: `sallyport update apply`/);
    const applied = await sallyport(["update", "apply", "--json"]);
    assert.equal(
      applied.code,
      0,
      `${applied.stdout}${applied.stderr}${readFileSync(join(folder, "agent.log"), "utf8").slice(-3000)}`,
    );
    const last = JSON.parse(applied.stdout) as { version: string; from: string; outcome: string };
    assert.deepEqual([last.version, last.from, last.outcome], ["1.1.0", "1.0.0", "applied"]);
    assert.equal(versionOf(places.current), "1.1.0");
    assert.equal(versionOf(places.updater), "1.1.0");
    assert.deepEqual(services.asked, [
      ...["start sallyport-update.service", "stop sallyport.service"],
      ...["reset-failed sallyport.service", "start sallyport.service"],
    ]);
    for (let agent = await agentThere(); agent.updates?.last?.version !== "1.1.0"; agent = await agentThere())
      await pause(500);
    const { version, updates } = await agentThere();
    assert.deepEqual([version, updates?.mode, updates?.last?.outcome], ["1.1.0", "notify", "applied"]);
    const status = await sallyport(["update", "status"]);
    assert.match(status.stdout, /Installed +1\.1\.0\nBefore +1\.0\.0\n/);
  });

  it("a pin holds it, and a rollback goes back to what ran before", async () => {
    assert.equal((await sallyport(["update", "pin"])).code, 0);
    const sum = await release("1.2.0", "broad");
    const refused = await sallyport(["update", "apply", "--version", "1.2.0"]);
    assert.equal(refused.code, 77);
    assert.match(refused.stderr, /the owner has pinned another version/);
    assert.equal((await sallyport(["update", "pin", "--off"])).code, 0);
    const back = await sallyport(["update", "rollback", "--json"]);
    assert.equal(back.code, 0, back.stderr);
    assert.equal(versionOf(places.current), "1.0.0");
    // What lies in the staging folder is the agent's: an archive that was begun by somebody else is found out by its sum.
    writeFileSync(stagedPart(places, sum), "not what the archive begins with");
    const altered = await sallyport(["update", "apply", "--version", "1.2.0"]);
    assert.equal(altered.code, 77);
    assert.match(altered.stderr, /another sum than its manifest says; it was removed\.\n {2}update\.refused/);
    const applied = await sallyport(["update", "apply", "--version", "1.2.0", "--json"]);
    assert.equal(applied.code, 0, applied.stderr);
    assert.equal(versionOf(places.current), "1.2.0");
  });
});
