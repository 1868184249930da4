/** The Windows service as far as Wine shows it: docs/install-windows.md says what that is, and what it is not. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages, WINE } from "../packages.ts";
import { allProcesses, commandLine, gone, hasEnded, until } from "../processes.ts";
import type { Check, Suite } from "../suite.ts";
import { type Ended, type Machine, startMachine } from "./machine.ts";

export const wine: Suite = {
  name: "wine",
  about: "the agent as a service of Windows, by Wine: made, started, asked, stopped, moved, removed; its keys wrapped",
  async run(check) {
    installPackages(WINE);
    const folder = mkdtempSync(join(tmpdir(), "sallyport-wine-"));
    try {
      const machine = await startMachine(folder);
      try {
        await checkVerbs(check, machine);
        await checkKeys(check, machine);
        await checkHost(check, machine);
        await checkRemoval(check, machine);
        await checkEnd(check, machine);
      } finally {
        machine.end();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** What Wine 8 knows nothing of; Windows knows all of it. */
const UNKNOWN_TO_WINE = ["service SID", "delayed start", "failure flag", "privileges"];
/** Wine keeps access lists as far as Unix has rights: what is refused on Windows has to be said to be wanted here. */
const INSECURE = "--insecure-files";
const REGISTERED = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Sallyport";
/** What the host hands on of its environment. */
const FOR_CHILDREN = /^(SystemRoot|SystemDrive|windir|ProgramData|ProgramFiles|TEMP|TMP|PATH)$/i;
const SOURCE = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\Sallyport";

function json({ code, stdout, stderr }: Ended, expected: number | null = 0) {
  assert.equal(code, expected, stderr || stdout);
  return JSON.parse(stdout);
}

async function checkVerbs(check: Check, { sallyport, vehicle, run, drive }: Machine): Promise<void> {
  await check("there is no service at first, and the verbs say so", async () => {
    for (const verb of ["status", "account"])
      assert.match(json(await sallyport(["service", verb, "--json"]), 78).error.message, /there is no service/);
  });
  await check("a program that others can change is made no service, and nothing is made for it", async () => {
    const refused = json(await sallyport(["service", "install", "--json"]), 78);
    assert.match(refused.error.message, /others than administrators can change the program: .*node\.exe/);
    assert.ok(!existsSync(join(drive, "ProgramData", "Sallyport")));
  });
  await check(
    "Windows can be asked who administers it; by Wine everybody does, also whom it does not know",
    async () => {
      assert.deepEqual(json(await vehicle("account")), { isAdministrator: true });
      assert.deepEqual(json(await sallyport(["service", "native"], '{"ask":"token"}')), { isAdministrators: true });
    },
  );
  await check("it is seen whether Windows keeps dumps of what crashes", async () => {
    const dumps = async () => json(await sallyport(["service", "native"], '{"ask":"dumps"}'));
    const key = "HKLM\\SOFTWARE\\Microsoft\\Windows\\Windows Error Reporting\\LocalDumps";
    assert.deepEqual(await dumps(), { keepsDumps: false });
    await run(["reg", "add", key, "/f"]);
    assert.deepEqual(await dumps(), { keepsDumps: true });
    await run(["reg", "delete", key, "/f"]);
  });
  await check(
    "a folder in ProgramData that somebody made before is refused, and nothing is written into it",
    async () => {
      const data = join(drive, "ProgramData", "Sallyport");
      mkdirSync(join(data, "config"), { recursive: true });
      writeFileSync(join(data, "config", "policy.yaml"), "v: 1\nconnections: {}\n");
      const refused = json(await sallyport(["policy", "init", "--json"]), 78);
      assert.match(refused.error.message, /was not made by Sallyport/);
      assert.deepEqual(readdirSync(data), ["config"]);
      rmSync(data, { recursive: true });
    },
  );
  await check("a verb that writes makes the folder itself, once", async () => {
    const ask = async (question: object) => json(await sallyport(["service", "native"], JSON.stringify(question)));
    const wanted = { ask: "makeFolder", path: "C:\\ProgramData\\Made", sddl: "O:BAD:PAI(A;OICI;FA;;;BA)" };
    assert.deepEqual([await ask(wanted), await ask(wanted)], [{ isNew: true }, { isNew: false }]);
    rmSync(join(drive, "ProgramData", "Made"), { recursive: true });
  });
  await check(
    "install makes the service, its folders and the event log's source, under its own account, and starts nothing",
    async () => {
      const installed = json(await sallyport(["service", "install", INSECURE, "--json"]));
      assert.deepEqual(installed, {
        ...{ account: "NT SERVICE\\Sallyport", unit: "Sallyport", enrolled: false, started: false, encrypted: false },
        unknown: UNKNOWN_TO_WINE,
      });
      const registered = (await run(["reg", "query", REGISTERED])).stdout;
      assert.match(
        registered,
        /ImagePath +REG_SZ +"Z:\\.*\\node\.exe" "Z:\\.*\\sallyport\.mjs" service host --insecure-files$/m,
      );
      assert.match(registered, /Start +REG_DWORD +0x2$/m);
      assert.match((await run(["reg", "query", SOURCE])).stdout, /EventMessageFile.*EventCreate\.exe/);
      const data = join(drive, "ProgramData", "Sallyport");
      assert.deepEqual(readdirSync(data).sort(), ["config", "state"]);
      assert.deepEqual(readdirSync(join(data, "state")).sort(), ["control", "journal", "keys", "logs", "run"]);
    },
  );
  await check("status says what Windows says, and exits with 1 while it does not run", async () => {
    const { state, enabled, pid, exitCode, account } = json(await sallyport(["service", "status", "--json"]), 1);
    assert.deepEqual([state, enabled, pid, exitCode, account], ["stopped", true, null, null, "NT SERVICE\\Sallyport"]);
  });
  await check("account moves it to a built-in one and back; wrong ones change nothing", async () => {
    const now = async () => (await sallyport(["service", "account"])).stdout.trim();
    for (const [asked, name] of [
      ["Network Service", "NT AUTHORITY\\NetworkService"],
      ["Local System", "LocalSystem"],
      ["Sallyport", "NT SERVICE\\Sallyport"],
    ] as const) {
      assert.equal(json(await sallyport(["service", "account", asked, INSECURE, "--json"])).account, name);
      assert.equal(await now(), name);
    }
    const wrong = [["nobody"], ["CORP\\nobody$"], ["CORP\\nobody"], ["LocalSystem", "--password-file", "-"]];
    for (const args of wrong)
      assert.equal(
        (await sallyport(["service", "account", ...args, INSECURE], "pass word\n")).code,
        78,
        args.join(" "),
      );
    assert.equal(await now(), "NT SERVICE\\Sallyport");
  });
  await check(
    "a dedicated account gets the right to be a service's, and its password from the standard input",
    async () => {
      // Whoever runs Wine is the one account that it has.
      const { stdout } = await run(["cmd", "/c", "echo", "%USERNAME%"]);
      const name = `.\\${stdout.trim()}`;
      const moved = await sallyport(
        ["service", "account", name, INSECURE, "--password-file", "-", "--json"],
        "pass word\n",
      );
      assert.equal(json(moved).account, name);
      const registered = await run(["reg", "query", REGISTERED, "/s"]);
      for (const told of [moved.stdout, moved.stderr, registered.stdout]) assert.ok(!told.includes("pass word"));
      assert.equal(json(await sallyport(["service", "install", INSECURE, "--json"])).account, name);
      json(await sallyport(["service", "account", "Sallyport", INSECURE, "--json"]));
    },
  );
}

const keyFile = (drive: string): string => join(drive, "ProgramData", "Sallyport", "state", "keys", "identity.jwk");

async function checkKeys(check: Check, { sallyport, drive }: Machine): Promise<void> {
  const clear = '{"kty":"OKP","d":"the private part"}\n';
  const ask = async (question: object) => json(await sallyport(["service", "native"], JSON.stringify(question)));
  const blob = (): string => JSON.parse(readFileSync(keyFile(drive), "utf8")).blob;
  await check("a key in clear is wrapped by DPAPI, opens again, and is wrapped anew each time", async () => {
    writeFileSync(keyFile(drive), clear);
    assert.equal(json(await sallyport(["service", "install", INSECURE, "--json"])).encrypted, true);
    const first = blob();
    assert.ok(!Buffer.from(first, "base64").includes("private"));
    const { bytes } = await ask({ ask: "unprotect", bytes: first });
    assert.equal(Buffer.from(bytes, "base64").toString(), clear);
    json(await sallyport(["service", "account", "NetworkService", INSECURE, "--json"]));
    assert.notEqual(blob(), first);
    const again = await ask({ ask: "unprotect", bytes: blob() });
    assert.equal(Buffer.from(again.bytes, "base64").toString(), clear);
  });
  await check("a wrapped key that was changed does not open, and nothing is started or replaced with it", async () => {
    const kept = readFileSync(keyFile(drive), "utf8");
    const bytes = Buffer.from(blob(), "base64");
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    const damaged = JSON.stringify({ dpapi: "machine", blob: bytes.toString("base64") });
    writeFileSync(keyFile(drive), damaged);
    assert.match(
      (await ask({ ask: "unprotect", bytes: bytes.toString("base64") })).failed,
      /CryptUnprotectData failed/,
    );
    assert.notEqual((await sallyport(["service", "install", INSECURE, "--json"])).code, 0);
    assert.equal(readFileSync(keyFile(drive), "utf8"), damaged);
    writeFileSync(keyFile(drive), kept);
  });
}

/** Of the agent that stands in for the product's, and of its host. */
function lookAt({ sallyport, drive, vehicleFile }: Machine) {
  const state = join(drive, "ProgramData", "Sallyport", "state");
  const status = async () => JSON.parse((await sallyport(["service", "status", "--json"])).stdout);
  const lines = (): Record<string, unknown>[] => {
    const file = join(state, "logs", "agent.log");
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  };
  return {
    ...{ state, status, lines },
    ups: () => lines().filter(({ msg }) => msg === "up"),
    settled: (expected: string) =>
      until(`the service is ${expected}`, async () => {
        const now = await status();
        return now.state === expected ? now : undefined;
      }),
    /** What Windows' processes are here: those of this machine whose command line ends so. */
    running: (verb: string): number[] =>
      allProcesses().filter((pid) => {
        const line = commandLine(pid).join(" ").trimEnd();
        return line.includes(`${vehicleFile} `) && line.endsWith(` ${verb}`) && !hasEnded(pid);
      }),
  };
}

async function checkHost(check: Check, machine: Machine): Promise<void> {
  const { sallyport, vehicle, run } = machine;
  const { state, status, lines, ups, settled } = lookAt(machine);
  await check("nothing but the service control manager starts the host", async () => {
    const { code, stderr } = await sallyport(["service", "host"]);
    assert.equal(code, 70);
    assert.match(stderr, /only the service control manager starts this/);
  });
  await check(
    "the product's host starts no agent while rights are wrong, as Wine's are, and says so by 78",
    async () => {
      assert.equal((await run(["sc", "start", "Sallyport"])).code, 0);
      const { exitCode } = await until("the service has stopped", async () => {
        const now = await status();
        return now.exitCode === null || now.state !== "stopped" ? undefined : now;
      });
      assert.equal(exitCode, 78);
      assert.deepEqual(lines(), []);
    },
  );
  await check(
    "started, it says that it runs; the agent is its child with a clean environment, and what it says is in the log",
    async () => {
      assert.equal(json(await vehicle("install")).account, "NT AUTHORITY\\NetworkService");
      writeFileSync(join(state, "end-with-75"), "");
      await run(["sc", "start", "Sallyport"]);
      const { pid, account } = await settled("running");
      assert.equal(account, "NT AUTHORITY\\NetworkService");
      const [first] = await until("the agent is up", () => (ups().length === 0 ? undefined : ups()));
      assert.equal(first?.parent, pid);
      const given = first?.variables as string[];
      // Wine's own it gives to every process.
      const ours = given.filter((name) => !name.startsWith("WINE"));
      assert.deepEqual(
        ours.filter((name) => !FOR_CHILDREN.test(name)),
        [],
      );
    },
  );
  await check("an agent that ends with 75 is started again, and the service runs meanwhile", async () => {
    assert.equal((await status()).state, "running");
    await until("the agent is up again", () => ups().length === 2);
    assert.equal((await status()).state, "running");
  });
  await check("asked to stop, the host asks the agent, and has stopped when that has", async () => {
    await run(["sc", "stop", "Sallyport"]);
    const { exitCode, pid } = await settled("stopped");
    assert.deepEqual([exitCode, pid], [0, null]);
    assert.deepEqual(lines().at(-1), { msg: "asked to stop", pid: ups()[1]?.pid });
  });
  await check("an agent that ends with 78 ends the service with it", async () => {
    writeFileSync(join(state, "end-with-78"), "");
    await run(["sc", "start", "Sallyport"]);
    await until("the agent is up", () => ups().length === 3);
    assert.equal((await settled("stopped")).exitCode, 78);
  });
  await check("the event log takes an event", async () => {
    assert.equal((await vehicle("event")).code, 0);
  });
}

async function checkRemoval(check: Check, { sallyport, run, drive }: Machine): Promise<void> {
  const data = join(drive, "ProgramData", "Sallyport");
  await check("uninstall removes service and source, and leaves what it says", async () => {
    const { removed, left } = json(await sallyport(["service", "uninstall", "--json"]));
    assert.equal(removed, "Sallyport");
    assert.deepEqual(left, ["C:\\ProgramData\\Sallyport\\config", "C:\\ProgramData\\Sallyport\\state"]);
    assert.ok(existsSync(keyFile(drive)));
    assert.notEqual((await run(["sc", "query", "Sallyport"])).code, 0);
    assert.notEqual((await run(["reg", "query", SOURCE])).code, 0);
  });
  await check("uninstall may be repeated, and with --purge --yes leaves nothing", async () => {
    assert.equal((await sallyport(["service", "uninstall", "--purge"])).code, 64);
    assert.ok(existsSync(data));
    assert.deepEqual(json(await sallyport(["service", "uninstall", "--purge", "--yes", "--json"])).left, []);
    assert.ok(!existsSync(data));
  });
}

/** The last: Wine's service control manager goes on believing in a service whose process was killed. */
async function checkEnd(check: Check, machine: Machine): Promise<void> {
  const { vehicle, run } = machine;
  const { lines, ups, running } = lookAt(machine);
  await check("the agent ends with its host, whatever ends that", async () => {
    json(await vehicle("install"));
    await run(["sc", "start", "Sallyport"]);
    await until("the agent is up", () => ups().length === 1);
    const [[host], [agent]] = [running("service host --insecure-files"), running("agent")];
    assert.ok(host !== undefined && agent !== undefined);
    process.kill(host, "SIGKILL");
    await gone(agent);
    assert.equal(lines().at(-1)?.msg, "up");
  });
}
