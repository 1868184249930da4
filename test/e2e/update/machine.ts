/** A machine with an installation below a folder of its own: its service manager, its agent's process, its updater's, its releases. */
import { type ChildProcess, spawn } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Layout, layoutIn } from "@sallyport/agent/src/install/layout.ts";
import { stagedArchive, type UpdatePlaces, updatePlaces } from "@sallyport/agent/src/update/places.ts";
import { linksPlatform, type Platform } from "@sallyport/agent/src/update/platform.ts";
import { type Last, readRecord, writeWish } from "@sallyport/agent/src/update/record.ts";
import type { Step } from "@sallyport/agent/src/update/updater.ts";
import { PROGRAM } from "@sallyport/agent/src/update/windows/command.ts";
import { sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import type { Ring } from "@sallyport/shared/release/manifest.ts";
import {
  drawPublisherKey,
  MANIFEST,
  type ReleaseOf,
  SIGNATURE,
  writeArchive,
  writeManifest,
} from "../../build/manifest.ts";
import { filesOf } from "../../build/release/entries.ts";
import { stopChild } from "../../system/processes.ts";
import { buildPrograms } from "./programs.ts";
import { placesOfServices, platformOfServices, register } from "./registered.ts";
import type { Orders } from "./updater-process.ts";

export const ORIGIN = "https://sallyport.example";
export const PLATFORM: string = `${process.platform}-${process.arch}`;
/** How an installation says which version runs: by links, or by the commands of Windows' services. */
export type Form = "links" | "services";
export type Behaviour = "works" | "ends" | "deaf" | "offline";

const AGENT = "0".repeat(32);

export interface Machine {
  /** Above everything that it is. */
  readonly root: string;
  readonly layout: Layout;
  readonly places: UpdatePlaces;
  readonly publisher: { readonly privateKey: KeyObject; readonly publicLine: string };
  readonly signer: Signer;
  /** Makes a release in a folder of its own and stages it, as the agent would. */
  stage(
    version: string,
    behaviour?: Behaviour,
    change?: Partial<ReleaseOf>,
    statement?: Partial<Stated>,
    filler?: Uint8Array,
  ): Promise<void>;
  /** The owner's `sallyport update apply`. */
  wish(version: string, downgrade?: boolean): void;
  setOwnersFiles(updates: string, policy?: string): void;
  /** One run of the updater, to its end or its death. */
  update(killAt?: Step, through?: readonly string[]): Promise<Last | "killed" | null>;
  /** The power goes, and comes: the agent is killed, and started by whatever `current` names. */
  reboot(): Promise<void>;
  /** The version that `current` names. */
  installed(): string | undefined;
  /** The version of the agent's process that runs now. */
  running(): string | undefined;
  /** What the agents' processes told, and what the service manager was asked. */
  told(): readonly string[];
  close(): Promise<void>;
}

export interface Stated {
  readonly aud: string;
  readonly ring: Ring;
  readonly iat: number;
  readonly exp: number;
  readonly manifest: string;
  readonly by: Signer;
}

/** @param healthyWithinMs how long the updater waits; only what never works takes as long */
export async function startMachine(healthyWithinMs = 20_000, form: Form = "links"): Promise<Machine> {
  const root = mkdtempSync(join(tmpdir(), "sallyport-update-"));
  const layout = layoutIn(root);
  const isWindows = form === "services";
  const places = isWindows ? placesOfServices(layout) : updatePlaces(layout);
  const platform: Platform = isWindows ? platformOfServices(root, places) : linksPlatform;
  const programs = await buildPrograms();
  const publisher = drawPublisherKey();
  const signing = await generateKeyPair("ES256");
  const signer = signerOf("ES256", signing);
  for (const folder of [layout.versions, layout.configuration, places.staged]) mkdirSync(folder, { recursive: true });
  install("1.0.0", "works");
  if (isWindows) register(root, places.versions, "1.0.0");
  else for (const link of [places.current, places.updater]) symlinkSync("versions/1.0.0", link);
  writeFileSync(places.state.pinned, JSON.stringify(pinnedOf(signing.publicJwk)));
  const setOwnersFiles = (updates: string, policy = "notify"): void => {
    const agent = { v: 1, origin: ORIGIN, agent: AGENT, tenant: "contoso", site: "oslo" };
    writeFileSync(places.config, `${JSON.stringify(agent).slice(0, -1)}, updates: ${updates}}\n`, { mode: 0o644 });
    writeFileSync(places.policy, `v: 1\nupdates: ${policy}\nconnections: {}\n`, { mode: 0o644 });
  };
  setOwnersFiles("{}");

  function programFolder(version: string, behaviour: Behaviour, into: string): string {
    mkdirSync(join(into, "app"), { recursive: true });
    const node = `#!/bin/sh\nexec ${process.execPath}`;
    if (isWindows) {
      writeFileSync(join(into, PROGRAM), `${node} "\${0%/*}/app/sallyport.mjs" "$@"\n`, { mode: 0o755 });
      writeFileSync(join(into, "koffi.node"), "native\n");
    } else writeFileSync(join(into, "node"), `${node} "$@"\n`, { mode: 0o755 });
    cpSync(programs.agent, join(into, "app/sallyport.mjs"));
    writeFileSync(join(into, "app/updater.mjs"), "// The test's own is started in its place.\n");
    writeFileSync(join(into, "app/behaviour.json"), JSON.stringify({ behaviour, version }));
    return into;
  }
  function install(version: string, behaviour: Behaviour): void {
    const into = programFolder(version, behaviour, join(layout.versions, version));
    writeFileSync(join(into, "release.json"), JSON.stringify({ version, platform: platform.name }));
  }

  let agent: ChildProcess | undefined;
  const asked: string[] = [];
  const startAgent = async (): Promise<void> => {
    if (agent?.exitCode === null && agent.signalCode === null) return;
    const folder = join(layout.versions, platform.versionOf(places.current) ?? "");
    const [program, ...args] = isWindows
      ? [join(folder, PROGRAM)]
      : [join(places.current, "node"), join(places.current, "app/sallyport.mjs")];
    const started = spawn(program, [...args, layout.state], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    agent = started;
    // Up, or ended: either way the service manager has done what it can.
    await Promise.race([once(started, "message"), once(started, "exit")]);
  };
  const stopAgent = async (signal: NodeJS.Signals): Promise<void> => {
    const running = agent;
    agent = undefined;
    await stopChild(running, signal);
  };
  await startAgent();

  async function update(killAt?: Step, through: readonly string[] = []): Promise<Last | "killed" | null> {
    const [command = "", ...words] = [...through, process.execPath, programs.updater];
    const child = spawn(command, words, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    let last: Last | null | undefined;
    child.on("message", (message: { ask?: "stop" | "start"; last?: Last | null }) => {
      if (message.last !== undefined) last = message.last;
      if (message.ask === undefined) return;
      asked.push(message.ask);
      const done = message.ask === "stop" ? stopAgent("SIGTERM") : startAgent();
      void done.then(() => child.connected && child.send("done"));
    });
    const orders: Orders = { root, releaseKeys: [publisher.publicLine], healthyWithinMs, killAt: killAt ?? null };
    child.send(orders);
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (signal === "SIGKILL") return "killed";
    if (last === undefined) throw new Error(`the updater ended with ${code ?? signal} and said nothing`);
    return last;
  }

  return {
    ...{ root, layout, places, publisher, signer, setOwnersFiles, update },
    async stage(version, behaviour = "works", change = {}, statement = {}, filler) {
      const folder = mkdtempSync(join(root, "release-"));
      const program = programFolder(version, behaviour, join(folder, "program"));
      if (filler !== undefined) writeFileSync(join(program, "app/filler"), filler);
      const release: ReleaseOf = {
        ...{ version, channel: "stable", ring: "broad", minimum: "0.1.0", notBefore: new Date(0) },
        ...change,
      };
      const entries = filesOf(program, "v").map((entry) => ({ ...entry, path: entry.path.slice("v/".length) }));
      const file = writeArchive(folder, entries, { version, platform: platform.name, epochSeconds: 0 });
      writeManifest(folder, release, [file], publisher.privateKey);
      const manifest = readFileSync(join(folder, MANIFEST));
      cpSync(join(folder, MANIFEST), places.stagedManifest);
      cpSync(join(folder, SIGNATURE), places.stagedSignature);
      cpSync(join(folder, file.name), stagedArchive(places, file.sha256));
      const now = Math.floor(Date.now() / 1000);
      const { by = signer, ...stated } = statement;
      const claims = {
        aud: ORIGIN,
        manifest: toBase64url(sha256(manifest)),
        ring: "broad",
        iat: now,
        exp: now + 600,
        ...stated,
      };
      writeFileSync(places.stagedStatement, `${await signJws("update", claims, by)}\n`);
      rmSync(folder, { recursive: true });
    },
    wish: (version, downgrade = false) =>
      writeWish(places, { v: 1, do: "apply", version, downgrade, at: new Date().toISOString() }),
    async reboot() {
      await stopAgent("SIGKILL");
      await startAgent();
    },
    installed: () => platform.versionOf(places.current),
    running() {
      if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return undefined;
      const status = JSON.parse(readFileSync(places.state.status, "utf8")) as { pid: number; version: string };
      return status.version;
    },
    told: () => [
      ...(existsSync(join(layout.state, "told"))
        ? readFileSync(join(layout.state, "told"), "utf8").trim().split("\n")
        : []),
      ...asked.map((what) => `asked to ${what}`),
    ],
    async close() {
      await stopAgent("SIGKILL");
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const pinnedOf = (key: object) => ({
  ...{ v: 1, agent: AGENT, tenant: "contoso", tenantName: "Contoso", site: "oslo", siteName: "Oslo", origin: ORIGIN },
  ...{ relayHost: "relay.example", listenUrl: null, keysSeq: 1, keys: [key], settings: { canarySeconds: 300 } },
});

/** The record, with nothing under way, as it has to be whenever an updater has ended. */
export const settled = (machine: Machine): boolean => readRecord(machine.places).under === null;
