/** The single executable for Linux, in a folder of its own: in a root that holds nothing else but what it is linked to. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { systemFiles } from "../../build/release/libraries.ts";
import { commandLine } from "../processes.ts";
import type { Check } from "../suite.ts";
import type { World } from "../world.ts";
import { type Enrolled, enrol, type Running, setPolicy, start } from "./agent.ts";
import { areUnseen, executorOf, isPowerless, PROBED, probe } from "./confinement.ts";
import { type Release, runScript } from "./releases.ts";
import { addDevices, type Root, runIn, write } from "./root.ts";
import { signInBy } from "./sign-in.ts";

const SITE = "executable";
const HOME = "/srv/sallyport";
const PROGRAM = `${HOME}/sallyport`;
const STATE = "/srv/state";
const ACCOUNT = { name: "agent", uid: "10002", gid: "10002" };

export async function checkExecutable(check: Check, world: World, release: Release): Promise<void> {
  const folder = join(world.folder, "executable");
  const inRoot = (path: string): string => join(folder, path);
  const root = await unpack(release, folder);
  const user = { uid: ACCOUNT.uid, gid: ACCOUNT.gid };
  const place = { program: PROGRAM, configuration: STATE };
  let enrolled: Enrolled;
  let agent: Running;

  await check("the executable enrols with its files in one folder", async () => {
    // Also so that this process, which has copied for seconds, sees which of its connections have ended meanwhile.
    assert.match(await runIn(root, { args: [PROGRAM, "version"] }), /^sallyport \d/);
    const more = ["--state", STATE, "--account", ACCOUNT.name];
    enrolled = await enrol(world, (command) => runIn(root, command), SITE, inRoot(STATE), more, place);
    await setPolicy(world, enrolled, inRoot(STATE));
    assert.match(await runIn(root, { args: [PROGRAM, "policy", "check", "--state", STATE] }), /is valid/);
  });
  await check("by its account, without any right, it is ready and a pull runs through it", async () => {
    const command = { args: [PROGRAM, "run", "--state", STATE], user };
    agent = await start(world, root, enrolled.agent, command);
    await world.pull(SITE);
    assert.match(await runIn(root, { args: [PROGRAM, "ready", "--state", STATE], user }), /^ready/);
    // It starts itself for the journal; with a warning it ends otherwise, and has printed all the same.
    const doctor = runIn(root, { args: [PROGRAM, "doctor", "--state", STATE] });
    assert.match(await doctor.catch(({ message }: Error) => message), /^journal +journal\/ +ok /m);
  });
  await check(
    "the executor's flags hold in it: it reads nothing but its own file, writes and starts nothing",
    async () => {
      const [program, flags, ...rest] = await executorOf(agent.process.pid!);
      assert.deepEqual([program, rest], [PROGRAM, ["@executor"]]);
      assert.match(flags!, /^--node-options=--permission /);
      assert.doesNotMatch(flags!, /--allow-/);
      // The supervisor has become the process for that, too.
      assert.match(commandLine(agent.process.pid!)[1] ?? "", /^--node-options=.*--single-threaded/);
      await isPowerless(agent.process.pid!);
      assert.deepEqual(await probed(root, flags!), PROBED);
    },
  );
  await check("a foreign NODE_OPTIONS takes nothing away from them, and loads nothing", async () => {
    const flags = (await executorOf(agent.process.pid!))[1]!;
    write(root, "/srv/evil.cjs", `require("node:fs").writeFileSync("/tmp/loaded", "");\n`);
    const options = "--require=/srv/evil.cjs --allow-fs-read=* --allow-fs-write=* --allow-child-process";
    assert.deepEqual(await probed(root, flags, { NODE_OPTIONS: options }), PROBED);
    assert.match(
      await runIn(root, { args: [PROGRAM, "version"], environment: { NODE_OPTIONS: options } }),
      /^sallyport \d/,
    );
    assert.equal(existsSync(inRoot("/tmp/loaded")), false);
    const refused = runIn(root, { args: [PROGRAM, "run"], environment: { NODE_OPTIONS: options } });
    await assert.rejects(refused, /ended with 78[\s\S]*NODE_OPTIONS must not be set/);
  });
  await check("without the permission model no executor says hello: it ends with 78", async () => {
    assert.deepEqual(await endOf(inRoot(PROGRAM), ["@executor"]), { code: 78, said: "" });
    assert.deepEqual(await endOf(inRoot(PROGRAM), ["@sign-in"]), { code: 78, said: "" });
    const writing = "--node-options=--permission --allow-fs-write=*";
    assert.deepEqual(await endOf(inRoot(PROGRAM), [writing, "@executor"]), { code: 78, said: "" });
    // As one would start a plain Node: no flag of Node's, and no executor.
    assert.deepEqual(await endOf(inRoot(PROGRAM), ["--permission", "@executor"]), { code: 64, said: "" });
  });
  await check("the sign-in child finds the native code beside it, and only there", async () => {
    const there = await signInBy(inRoot(PROGRAM));
    assert.equal(there, "unreachable");
    rmSync(inRoot(`${HOME}/koffi.node`));
    assert.equal(await signInBy(inRoot(PROGRAM)), "unavailable");
  });
  await check("its processes show no secret, and asked to stop it ends with 0", async () => {
    areUnseen(agent.process.pid!, [...enrolled.secrets, world.password]);
    assert.equal(await agent.stop(), 0, agent.log());
  });
}

/** The archive in its folder, the libraries that the executable names, and the two tools that wrap executors. */
async function unpack(release: Release, folder: string): Promise<Root> {
  for (const path of [HOME, STATE, "/proc", "/tmp", "/etc"]) mkdirSync(join(folder, path), { recursive: true });
  await runScript(`tar -xzf '${release.path("-executable.tar.gz")}' -C '${join(folder, HOME)}'`);
  const tools = ["/usr/bin/setpriv", "/usr/bin/prlimit"];
  for (const { path, bytes, mode } of systemFiles(tools, [join(folder, PROGRAM)])) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes, { mode });
  }
  addDevices(folder);
  const root: Root = { folder, mounts: [`mount -t proc proc '${join(folder, "proc")}'`] };
  write(root, "/etc/passwd", `root:x:0:0:root:/:/\n${ACCOUNT.name}:x:${ACCOUNT.uid}:${ACCOUNT.gid}::/:/\n`);
  write(root, "/etc/group", `root:x:0:\n${ACCOUNT.name}:x:${ACCOUNT.gid}:\n`);
  write(root, "/etc/hosts", "127.0.0.1 localhost\n");
  write(root, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
  return root;
}

/** The executor with its own flags, and before its code the probe, which Node may read because it is told to load it. */
async function probed(root: Root, flags: string, environment: Record<string, string> = {}): Promise<unknown> {
  write(root, "/srv/probe.cjs", `${probe(STATE, STATE, "process.execPath")}\nprocess.exit(0);\n`);
  const args = [PROGRAM, `${flags} --require=/srv/probe.cjs`, "@executor"];
  return JSON.parse(await runIn(root, { args, environment }));
}

/** What a process of the program says to its supervisor, and how it ends. */
async function endOf(program: string, args: readonly string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(program, args, { env: {}, stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const [said, [code]] = await Promise.all([text(child.stdio[3] as Readable), once(child, "exit")]);
  return { code: code as number | null, said };
}
