/** The Debian package: installed in a root of its own, enrolled, pulled from, removed. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { ROOT } from "../../build/root.ts";
import type { Check } from "../suite.ts";
import type { World } from "../world.ts";
import { type Enrolled, enrol, type Running, setPolicy, start } from "./agent.ts";
import { allowedCalls, callsDuring } from "./calls.ts";
import { areUnseen, ignoresForeignOptions, isConfined, isPowerless } from "./confinement.ts";
import { CALLS, callsOf, dpkg, makeDebian, SOCKET } from "./debian.ts";
import type { Release } from "./releases.ts";
import { requireRightsOfPage } from "./rights.ts";
import { listing, runIn, write } from "./root.ts";
import { startSystemd } from "./systemd.ts";
import { commandOf } from "./unit-command.ts";
import { checkUpdates } from "./update-checks.ts";

const SITE = "debian";
const PATHS = { PATH: "/usr/sbin:/usr/bin" };
const UNITS = "sallyport.service sallyport-update.service sallyport-update.path";
const UNIT = "/etc/systemd/system/sallyport.service";

export async function checkPackage(check: Check, world: World, release: Release): Promise<void> {
  const folder = join(world.folder, "debian");
  mkdirSync(folder);
  const root = makeDebian(folder, process.execPath);
  const inRoot = (path: string): string => join(folder, path);
  const before = listing(folder, isNotOurs);
  let enrolled: Enrolled;
  let agent: Running;

  await check("the package installs: program, command, account, service; nothing is started yet", async () => {
    await dpkg(root, "--install", release.path(".deb"));
    assert.match(
      readFileSync(inRoot("/etc/passwd"), "utf8"),
      /^sallyport:.*:\/var\/lib\/sallyport:\/usr\/sbin\/nologin$/m,
    );
    assert.deepEqual(callsOf(root), [`enable ${UNITS}`, "daemon-reload", "start sallyport-update.path"]);
    assert.ok(existsSync(inRoot(UNIT)));
  });
  await check("as root it enrols, and nothing more is needed than `service install` to start it", async () => {
    enrolled = await enrol(world, root, SITE, inRoot("/etc/sallyport"));
    const said = JSON.parse(await runIn(root, { args: ["/usr/bin/sallyport", "service", "install", "--json"] }));
    assert.deepEqual([said.account, said.enrolled, said.started], ["sallyport", true, true]);
    assert.deepEqual(callsOf(root).at(-1), "start sallyport.service");
  });
  await check("each file has the owner and the rights that the page says", () => {
    requireRightsOfPage(root);
  });
  await check(
    "started as its unit says, by its account without any right, it is ready and a pull runs through it",
    async () => {
      await setPolicy(world, enrolled, inRoot("/etc/sallyport"));
      agent = await start(world, root, enrolled.agent, commandOf(root, "sallyport.service"));
      await world.pull(SITE);
      assert.match(await runIn(root, { args: ["/usr/bin/sallyport", "ready"] }), /^ready/);
      const doctor = await runIn(root, { args: ["/bin/sh", "-c", "sallyport doctor || true"], environment: PATHS });
      assert.match(doctor, /^files +\/var\/lib\/sallyport +ok /m);
      assert.doesNotMatch(doctor, /FAIL/);
    },
  );
  await check("its executors are confined, and none of its processes can do more than its account", async () => {
    await isConfined(root, agent.process.pid!, commandOf(root, "sallyport.service").user, VERSION);
    await isPowerless(agent.process.pid!);
  });
  await check(
    "what it asks of the system while a pull runs, and executors start, is what its unit lets through",
    async () => {
      const allowed = allowedCalls(readFileSync(inRoot(UNIT), "utf8"));
      const seen = await callsDuring(agent.process.pid!, join(world.folder, "calls"), async () => {
        await world.pull(SITE);
        await world.pull(SITE);
      });
      assert.ok(seen.has("execve") && seen.has("capset"), [...seen].join(" "));
      assert.deepEqual(
        [...seen].filter((call) => !allowed.has(call)),
        [],
      );
    },
  );
  await check("no argument, variable or unit shows a secret", () => {
    const secrets = [...enrolled.secrets, world.password, ...keysOf(inRoot("/var/lib/sallyport/keys"))];
    assert.ok(secrets.length >= 4);
    areUnseen(agent.process.pid!, secrets);
    const unit = readFileSync(inRoot(UNIT), "utf8");
    for (const secret of secrets) assert.ok(!unit.includes(secret));
  });
  await check("a foreign NODE_OPTIONS loads nothing", async () => {
    write(root, "/tmp/evil.cjs", `require("node:fs").writeFileSync("/tmp/loaded", "");\n`);
    await ignoresForeignOptions(root, "/tmp/evil.cjs", () => existsSync(inRoot("/tmp/loaded")));
  });
  await check("`service status` says what systemd says, and that the files are as they should be", async () => {
    const said = JSON.parse(await runIn(root, { args: ["/usr/bin/sallyport", "service", "status", "--json"] }));
    assert.deepEqual(said, {
      ...{ state: "active", enabled: true, pid: 4711, restarts: 2, exitCode: 75 },
      ...{ account: "sallyport", faults: [] },
    });
  });
  await check(
    "asked to stop, it ends with 0; another account takes over with all of its files, and pulls",
    async () => {
      assert.equal(await agent.stop(), 0, agent.log());
      callsOf(root);
      await runIn(root, { args: ["/usr/sbin/useradd", "--system", "--user-group", "--no-create-home", "svc-erp"] });
      await runIn(root, { args: ["/usr/bin/sallyport", "service", "account", "svc-erp"] });
      assert.deepEqual(callsOf(root)[0], "stop sallyport.service");
      assert.equal(await runIn(root, { args: ["/usr/bin/sallyport", "service", "account"] }), "svc-erp\n");
      agent = await start(world, root, enrolled.agent, commandOf(root, "sallyport.service"));
      await world.pull(SITE);
      assert.equal(await agent.stop(), 0, agent.log());
      await runIn(root, { args: ["/usr/bin/sallyport", "service", "account", "sallyport"] });
      await runIn(root, { args: ["/usr/sbin/userdel", "svc-erp"] });
    },
  );
  await check("installed once more, as an upgrade would, it keeps what it is", async () => {
    callsOf(root);
    await dpkg(root, "--install", release.path(".deb"));
    assert.deepEqual(callsOf(root).at(-1), "start sallyport.service");
    agent = await start(world, root, enrolled.agent, commandOf(root, "sallyport.service"));
    await world.pull(SITE);
    assert.equal(await agent.stop(), 0, agent.log());
  });
  const systemd = world.cleanup.add(await startSystemd(root), (it) => it.close());
  await checkUpdates(check, world, { ...{ root, release, systemd }, enrolled: enrolled! });
  await check(
    "`service uninstall` takes the service, names what is left, and purges only when told twice",
    async () => {
      callsOf(root);
      const uninstall = ["/usr/bin/sallyport", "service", "uninstall", "--json"];
      const { left } = JSON.parse(await runIn(root, { args: uninstall }));
      assert.deepEqual(left, ["/etc/sallyport", "/var/lib/sallyport"]);
      assert.deepEqual(callsOf(root), [`stop ${UNITS}`, `disable ${UNITS}`, "daemon-reload"]);
      assert.equal(existsSync(inRoot(UNIT)), false);
      await assert.rejects(runIn(root, { args: [...uninstall, "--purge"] }), /ended with 64/);
      await runIn(root, { args: ["/usr/bin/sallyport", "service", "install"] });
      assert.ok(existsSync(inRoot(UNIT)));
    },
  );
  await check("removed after its updates, it leaves what docs/uninstall.md says; purged, nothing", async () => {
    callsOf(root);
    assert.ok(systemd.agent !== undefined, "it runs until then");
    await dpkg(root, "--remove", "sallyport");
    assert.equal(systemd.agent, undefined);
    assert.deepEqual(callsOf(root), [`stop ${UNITS}`, `disable ${UNITS}`, "daemon-reload"]);
    const left = listing(folder, isNotOurs).filter((path) => !before.includes(path));
    const said = [...readFileSync(join(ROOT, "docs/uninstall.md"), "utf8").matchAll(/^\| `(\/[^`]+)` \|/gm)].map(
      ([, path]) => path!,
    );
    const isSaid = (path: string): boolean =>
      said.some((each) => (each.endsWith("/") ? path.startsWith(each) : path === each));
    assert.deepEqual(
      left.filter((path) => !isSaid(path)),
      [],
    );
    for (const each of said.filter((path) => !MAYBE.has(path)))
      assert.ok(
        left.some((path) => path.startsWith(each)),
        `${each} is not left`,
      );
    await dpkg(root, "--purge", "sallyport");
    assert.deepEqual(
      listing(folder, isNotOurs).filter((path) => !before.includes(path)),
      [],
    );
    assert.doesNotMatch(readFileSync(inRoot("/etc/passwd"), "utf8"), /sallyport/);
  });
}

/** Files of the page that are there only where somebody has asked for them. */
const MAYBE = new Set(["/etc/credstore.encrypted/sallyport-unseal-seed", "/etc/systemd/system/sallyport.service.d/"]);

/** The test's own, dpkg's database, and the copies that programs for accounts make of their lists. */
const isNotOurs = (path: string): boolean =>
  ["/proc", "/dev", "/tmp", "/var/lib/dpkg", "/etc/.pwd.lock", CALLS, SOCKET].includes(path) ||
  /^\/etc\/(passwd|group|g?shadow|sub[ug]id)-?$/.test(path);

/** Private parts of the agent's keys. */
function keysOf(folder: string): string[] {
  const { d } = JSON.parse(readFileSync(join(folder, "identity.jwk"), "utf8")) as { d: string };
  const { seed } = JSON.parse(readFileSync(join(folder, "unseal.jwk"), "utf8")) as { seed: string };
  return [d, seed];
}
