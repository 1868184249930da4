/**
 * `directory`: entries a second of one `ad.search`, from the orchestrator's call to the agent's last frame, against
 * `ldapsearch` with the same base, filter, attributes and pages at the same emulated controller. The agent is the bundle's.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { LOCAL, type Site, startSite } from "../e2e/agent/site.ts";
import { order } from "../e2e/agent/writer.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { DIRECTORY_CONNECTION, STAFF } from "../stack/directory.ts";
import { bundledIn } from "../stack/program.ts";
import { timesOf } from "./processes.ts";
import type { Measured } from "./results.ts";
import { type Usage, watch } from "./watch.ts";

const SERVER = fileURLToPath(new URL("./directory/server.ts", import.meta.url));
const PEER_NAME = "ldapsearch";
const ATTRIBUTES = [
  ...["objectGUID", "sAMAccountName", "displayName", "department"],
  ...["mail", "manager", "proxyAddresses", "userAccountControl"],
] as const;
/** The agent asks for it besides, to tell a computer from a user: so does the peer, for it to be the same search. */
const CLASS = "objectClass";
/** As large as the connector's. */
const PAGE_SIZE = 500;
const LEAST_RATIO = 0.7;
const MOST_MB = 250;

const listening = z.strictObject({
  port: z.int(),
  entry: z.string(),
  credential: z.strictObject({ user: z.string(), password: z.string(), signIn: z.literal("simple") }),
});
type Listening = z.infer<typeof listening>;

interface PeerRun {
  readonly seconds: number;
  /** CPU-seconds. */
  readonly cpu: number;
}

export interface DirectoryOptions {
  readonly entries: number;
  readonly runs: number;
  readonly say: (line: string) => void;
}

/** @throws Error where `ldapsearch` (of the package ldap-utils) is not installed */
export async function benchDirectory({ entries, runs, say }: DirectoryOptions): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-directory-"));
  const program = await bundledIn(folder);
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.caPem);
  const server = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", SERVER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const site = await startSite(LOCAL, program.sallyport);
  try {
    // The login's own account is one of them.
    server.stdin.write(`${JSON.stringify({ tls: { key: tls.key, cert: tls.cert }, caFile, people: entries - 1 })}\n`);
    const [line] = (await once(createInterface({ input: server.stdout }), "line")) as [string];
    const directory = listening.parse(JSON.parse(line));
    const enrolled = await site.enroll(site.orchestrator.code());
    if (enrolled.code !== 0) throw new Error(enrolled.stderr);
    site.setPolicy(`v: 1\nlimits: { sessionsPerMinute: 600 }\nconnections:\n${directory.entry}`);
    const agent = await site.start();
    const watched = { supervisor: agent.process.pid!, functionHost: process.pid, source: server.pid! };
    const ours: Usage[] = [];
    const peers: PeerRun[] = [];
    // One after the other in every round, so that whatever else the machine does meets both; the first is to warm up.
    for (let round = 0; round <= runs; round++) {
      const { usage } = await watch(watched, () => searchAll(site, directory, entries));
      const peer = await runPeer(directory, caFile, folder, entries);
      if (round > 0) {
        ours.push(usage);
        peers.push(peer);
      }
      const shown = `ad.search ${usage.seconds.toFixed(2)} s, ${PEER_NAME} ${peer.seconds.toFixed(2)} s`;
      say(`${round === 0 ? "warm-up" : `run ${round}`}: ${shown}`);
    }
    return measured(entries, ours, peers);
  } finally {
    await site.close();
    server.stdin.end();
    if (server.exitCode === null) await once(server, "exit");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function searchAll(site: Site, { credential }: Listening, entries: number): Promise<void> {
  const outcome = await order(site, {
    connection: DIRECTORY_CONNECTION,
    credential: { form: "plain", ...credential },
    operation: { op: "ad.search", base: STAFF, scope: "subtree", classes: ["user"], attributes: [...ATTRIBUTES] },
  });
  if (!outcome.ok || outcome.rows !== entries) throw new Error(`not read: ${JSON.stringify(outcome)}`);
}

async function runPeer(
  { port, credential }: Listening,
  caFile: string,
  folder: string,
  entries: number,
): Promise<PeerRun> {
  const [passwordFile, file] = [join(folder, "password"), join(folder, "out.ldif")];
  writeFileSync(passwordFile, credential.password, { mode: 0o600 });
  const out = openSync(file, "w");
  // By its address: libldap takes the machine's name for `localhost`.
  const args = [
    ...[
      "-LLL",
      "-x",
      "-o",
      "ldif-wrap=no",
      "-H",
      `ldaps://127.0.0.1:${port}`,
      "-D",
      credential.user,
      "-y",
      passwordFile,
    ],
    ...["-b", STAFF, "-E", `pr=${PAGE_SIZE}/noprompt`, "(objectClass=user)", ...ATTRIBUTES, CLASS],
  ];
  const before = timesOf(process.pid)!.ended;
  const startedMs = performance.now();
  const child = spawn("ldapsearch", args, {
    stdio: ["ignore", out, "inherit"],
    env: { ...process.env, LDAPTLS_CACERT: caFile },
  });
  const [code] = (await once(child, "exit")) as [number | null];
  const seconds = (performance.now() - startedMs) / 1000;
  const cpu = timesOf(process.pid)!.ended - before;
  closeSync(out);
  const found = readFileSync(file, "utf8").match(/^dn:/gm)?.length ?? 0;
  if (code !== 0 || found !== entries) throw new Error(`ldapsearch ended with ${code} and ${found} entries`);
  return { seconds, cpu };
}

function measured(entries: number, ours: readonly Usage[], peers: readonly PeerRun[]): Measured[] {
  const per100k = (seconds: number): number => (seconds / entries) * 1e5;
  return [
    {
      metric: "entries a second",
      unit: "entries/s",
      ours: ours.map(({ seconds }) => entries / seconds),
      peer: { name: PEER_NAME, values: peers.map(({ seconds }) => entries / seconds) },
    },
    {
      metric: "entries a second, of the peer's",
      unit: "ratio",
      ours: ours.map(({ seconds }, at) => peers[at]!.seconds / seconds),
      budget: { least: LEAST_RATIO },
    },
    {
      metric: "CPU of the agent's executor, its start included",
      unit: "s per 100,000 entries",
      ours: ours.map(({ cpu }) => per100k(cpu.executor)),
      peer: { name: PEER_NAME, values: peers.map(({ cpu }) => per100k(cpu)) },
    },
    {
      metric: "CPU of the emulated controller",
      unit: "s per 100,000 entries",
      ours: ours.map(({ cpu }) => per100k(cpu.source)),
    },
    {
      metric: "peak RSS of the executor",
      unit: "MB",
      ours: ours.map(({ peak }) => peak.executor / 1e6),
      budget: { most: MOST_MB },
    },
    { metric: "peak RSS of the supervisor", unit: "MB", ours: ours.map(({ peak }) => peak.supervisor / 1e6) },
  ];
}
