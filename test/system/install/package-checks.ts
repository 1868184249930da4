/** The Debian package on a machine with systemd: installed by apt, enrolled, pulled from, killed, started with the machine, removed. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { ROOT } from "../../build/root.ts";
import { until } from "../processes.ts";
import type { Check } from "../suite.ts";
import type { World } from "../world.ts";
import { type Enrolled, enrol, setPolicy } from "./agent.ts";
import { allowedCalls, callsDuring } from "./calls.ts";
import { areUnseen, ignoresForeignOptions, isConfined, isPowerless } from "./confinement.ts";
import { SERVICE, startMachine } from "./machine.ts";
import type { Release } from "./releases.ts";
import { requireRightsOfPage } from "./rights.ts";
import { listing } from "./root.ts";
import { tryUnit } from "./unit-probe.ts";
import { checkUpdates } from "./update-checks.ts";

const SITE = "debian";
const UNITS = [SERVICE, "sallyport-update.service", "sallyport-update.path"];
const UNIT = `/etc/systemd/system/${SERVICE}`;

export async function checkPackage(check: Check, world: World, release: Release): Promise<void> {
  const folder = join(world.folder, "debian");
  mkdirSync(folder);
  const machine = world.cleanup.add(await startMachine(folder), (it) => it.close());
  const { relay } = world.stack;
  const inRoot = (path: string): string => join(machine.root.folder, path);
  const sallyport = (...args: string[]): Promise<string> => machine.run({ args: ["/usr/bin/sallyport", ...args] });
  const told = async <T>(...args: string[]): Promise<T> => JSON.parse(await sallyport(...args, "--json")) as T;
  const systemctl = (...words: string[]): Promise<string> => machine.run({ args: ["/usr/bin/systemctl", ...words] });
  const shown = async (unit: string, property: string): Promise<string> =>
    (await systemctl("show", `--property=${property}`, "--value", unit)).trim();
  const apt = (...args: string[]): Promise<string> =>
    machine.run({
      args: ["/usr/bin/apt-get", "--quiet", "--yes", ...args],
      environment: { ...PATHS, DEBIAN_FRONTEND: "noninteractive" },
    });
  const before = listing(machine.changes);
  const added = (): string[] => listing(machine.changes).filter((path) => !before.includes(path) && isOurs(path));
  let enrolled: Enrolled;
  let account: { uid: string; gid: string };
  /** The agent's process once it serves: another one than `former`. */
  const serving = async (former?: number): Promise<number> => {
    const pid = await until("systemd runs the agent", async () => {
      const now = await machine.processOf(SERVICE);
      return now !== former && now;
    });
    await relay.listening(`a-${enrolled.agent}`);
    await until("it says so", async () => (await sallyport("ready").catch(() => "")).startsWith("ready"));
    return pid;
  };
  const running = async (): Promise<number> => (await machine.processOf(SERVICE)) ?? assert.fail("no agent runs");

  await check("the package installs: program, command, account, service; nothing is started yet", async () => {
    const file = `/tmp/${basename(release.path(".deb"))}`;
    copyFileSync(release.path(".deb"), inRoot(file));
    await apt("install", file);
    const line = /^sallyport:x:(\d+):(\d+):.*:\/var\/lib\/sallyport:\/usr\/sbin\/nologin$/m;
    const [, uid = "", gid = ""] = line.exec(readFileSync(inRoot("/etc/passwd"), "utf8")) ?? assert.fail("no account");
    account = { uid, gid };
    for (const unit of UNITS) assert.equal(await shown(unit, "UnitFileState"), "enabled", unit);
    const states = await Promise.all(UNITS.map((unit) => shown(unit, "ActiveState")));
    assert.deepEqual(states, ["inactive", "inactive", "active"]);
  });
  await check("as root it enrols, and nothing more is needed than `service install` to start it", async () => {
    enrolled = await enrol(world, machine.run, SITE, inRoot("/etc/sallyport"));
    await setPolicy(world, enrolled, inRoot("/etc/sallyport"));
    const said = await told<{ account: string; enrolled: boolean; started: boolean }>("service", "install");
    assert.deepEqual([said.account, said.enrolled, said.started], ["sallyport", true, true]);
    await serving();
  });
  await check("each file has the owner and the rights that the page says", () => {
    requireRightsOfPage(machine.root);
  });
  await check(
    "started by systemd, by its account without any right, it is ready and a pull runs through it",
    async () => {
      await world.pull(SITE);
      const doctor = await machine.run({ args: ["/bin/sh", "-c", "sallyport doctor || true"], environment: PATHS });
      assert.match(doctor, /^files +\/var\/lib\/sallyport +ok /m);
      assert.doesNotMatch(doctor, /FAIL/);
    },
  );
  await check("its executors are confined, and none of its processes can do more than its account", async () => {
    const pid = await running();
    await isConfined(machine.run, pid, account, VERSION);
    await isPowerless(pid);
  });
  await check("what its unit forbids is refused to whatever runs in it, and what the agent needs is not", async () => {
    const { confined, open } = await tryUnit(machine, UNIT);
    const names = Object.keys(open);
    assert.ok(names.length >= 10, names.join(" "));
    // The counter-example: the same account without the unit's lines may do each of them.
    assert.deepEqual(open, Object.fromEntries(names.map((name) => [name, "done"])));
    const refused = names.map((name) => [name, name.startsWith("may ") ? "done" : "refused"]);
    assert.deepEqual(confined, Object.fromEntries(refused));
  });
  await check("while a pull runs, and executors start, it asks for no system call that its unit refuses", async () => {
    const allowed = allowedCalls(readFileSync(inRoot(UNIT), "utf8"));
    const seen = await callsDuring(await running(), join(world.folder, "calls"), async () => {
      await world.pull(SITE);
      await world.pull(SITE);
    });
    assert.ok(seen.has("execve") && seen.has("capset"), [...seen].join(" "));
    assert.deepEqual(
      [...seen].filter((call) => !allowed.has(call)),
      [],
    );
  });
  await check("no argument, variable, unit or line of the system's log shows a secret", async () => {
    const secrets = [...enrolled.secrets, world.password, ...keysOf(inRoot("/var/lib/sallyport/keys"))];
    assert.ok(secrets.length >= 4);
    areUnseen(await running(), secrets);
    const texts = [readFileSync(inRoot(UNIT), "utf8"), await systemctl("show", SERVICE), await machine.log()];
    assert.match(texts[2]!, /control channel online/);
    for (const secret of secrets) for (const text of texts) assert.ok(!text.includes(secret));
  });
  await check("a foreign NODE_OPTIONS loads nothing", async () => {
    writeFileSync(inRoot("/tmp/evil.cjs"), `require("node:fs").writeFileSync("/tmp/loaded", "");\n`);
    await ignoresForeignOptions(machine.run, "/tmp/evil.cjs", () => existsSync(inRoot("/tmp/loaded")));
  });
  await check("killed, it is started again by itself, and `service status` says so", async () => {
    const former = await running();
    process.kill(former, "SIGKILL");
    const pid = await serving(former);
    const said = await told<Record<string, unknown>>("service", "status");
    const inside = Number(await shown(SERVICE, "MainPID"));
    assert.deepEqual(said, {
      ...{ state: "active", enabled: true, pid: inside, restarts: 1, exitCode: said.exitCode },
      ...{ account: "sallyport", faults: [] },
    });
    await world.pull(SITE);
    assert.equal(await running(), pid);
  });
  await check("asked to stop, it ends with 0; with the wrong settings it ends with 78, and is left alone", async () => {
    await systemctl("stop", SERVICE);
    assert.deepEqual([await shown(SERVICE, "Result"), await shown(SERVICE, "ExecMainStatus")], ["success", "0"]);
    const settings = inRoot("/etc/sallyport/agent.yaml");
    const right = readFileSync(settings, "utf8");
    writeFileSync(settings, `${right}\nnothing: of the kind\n`);
    await systemctl("start", SERVICE);
    await until("it has failed", async () => (await shown(SERVICE, "ActiveState")) === "failed");
    assert.deepEqual([await shown(SERVICE, "ExecMainStatus"), await shown(SERVICE, "NRestarts")], ["78", "0"]);
    writeFileSync(settings, right);
    await systemctl("start", SERVICE);
    await serving();
  });
  await check("the machine loses its power: the agent starts with it, and is pulled from", async () => {
    await machine.restart();
    await serving();
    await world.pull(SITE);
  });
  await check("another account takes over with all of its files, and pulls", async () => {
    const former = await running();
    await machine.run({ args: ["/usr/sbin/useradd", "--system", "--user-group", "--no-create-home", "svc-erp"] });
    await sallyport("service", "account", "svc-erp");
    assert.equal(await sallyport("service", "account"), "svc-erp\n");
    await serving(former);
    await world.pull(SITE);
    await sallyport("service", "account", "sallyport");
    await machine.run({ args: ["/usr/sbin/userdel", "svc-erp"] });
    await serving();
  });
  await check("the key's secret part becomes a credential of systemd's: no file has it, and pulls go on", async () => {
    const former = await running();
    const [, seed] = keysOf(inRoot("/var/lib/sallyport/keys")) as [string, string];
    const { encrypted } = await told<{ encrypted: boolean }>("service", "install", "--encrypt-key");
    assert.equal(encrypted, true);
    await serving(former);
    await world.pull(SITE);
    const files = added().filter((path) => /^\/(etc|var)\//.test(path) && !/\/$| -> /.test(path));
    assert.ok(files.includes(CREDENTIAL) && files.includes("/var/lib/sallyport/keys/unseal.jwk"));
    for (const path of files) assert.ok(!readFileSync(inRoot(path)).includes(seed), path);
  });
  await check("installed once more, as an upgrade would, it keeps what it is", async () => {
    const former = await running();
    copyFileSync(release.path(".deb"), inRoot("/tmp/sallyport.deb"));
    await apt("install", "--reinstall", "/tmp/sallyport.deb");
    await serving(former);
    await world.pull(SITE);
  });
  await checkUpdates(check, world, { ...{ machine, release }, enrolled: enrolled! });
  await check(
    "`service uninstall` takes the service, names what is left, and purges only when told twice",
    async () => {
      const { left } = await told<{ left: string[] }>("service", "uninstall");
      assert.deepEqual(left, ["/etc/sallyport", "/var/lib/sallyport", CREDENTIAL]);
      for (const unit of UNITS) assert.equal(await shown(unit, "LoadState"), "not-found", unit);
      await assert.rejects(sallyport("service", "uninstall", "--purge"), /ended with 64/);
      await sallyport("service", "install");
      await serving();
    },
  );
  await check("removed after its updates, it leaves what docs/uninstall.md says; purged, nothing", async () => {
    const pid = await running();
    await apt("remove", "sallyport");
    assert.ok(!existsSync(`/proc/${pid}`), "it ran until then");
    for (const unit of UNITS) assert.equal(await shown(unit, "LoadState"), "not-found", unit);
    const left = added();
    const said = [...readFileSync(join(ROOT, "docs/uninstall.md"), "utf8").matchAll(/^\| `(\/[^`]+)` \|/gm)].map(
      ([, path]) => path!,
    );
    const isSaid = (path: string): boolean =>
      said.some((each) => (each.endsWith("/") ? path.startsWith(each) : path === each));
    assert.deepEqual(
      left.filter((path) => !isSaid(path)),
      [],
    );
    for (const each of said.filter((path) => path !== DROP_INS))
      assert.ok(
        left.some((path) => path.startsWith(each)),
        `${each} is not left`,
      );
    await apt("purge", "sallyport");
    assert.deepEqual(added(), []);
    assert.doesNotMatch(readFileSync(inRoot("/etc/passwd"), "utf8"), /sallyport/);
  });
}

const PATHS = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
const CREDENTIAL = "/etc/credstore.encrypted/sallyport-unseal-seed";
/** There only where somebody has asked for it. */
const DROP_INS = "/etc/systemd/system/sallyport.service.d/";

/** Neither a folder that this machine has too, nor what dpkg, apt, systemd and the programs for accounts keep for themselves. */
const isOurs = (path: string): boolean =>
  !(path.endsWith("/") && existsSync(path)) &&
  !/^\/(var\/(lib|cache)\/(debconf|dpkg|apt|systemd)|var\/(log|tmp\/systemd-private)|etc\/(\.pwd\.lock|\.updated|credstore\.encrypted\/$)|etc\/(passwd|group|g?shadow|sub[ug]id)-?$)/.test(
    path,
  );

/** Private parts of the agent's keys. */
function keysOf(folder: string): string[] {
  const { d } = JSON.parse(readFileSync(join(folder, "identity.jwk"), "utf8")) as { d: string };
  const { seed } = JSON.parse(readFileSync(join(folder, "unseal.jwk"), "utf8")) as { seed: string };
  return [d, seed];
}
