/** A Samba domain controller of the suite's own: provisioned in a folder, on the loopback, gone with the suite. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { makeAuthority } from "../../emulators/tls/certificates.ts";

const run = promisify(execFile);

export const REALM = "CORP.EXAMPLE";
export const DOMAIN = "CORP";
export const DC = "DC=corp,DC=example";
export const ADMINISTRATOR = { user: `${DOMAIN}\\Administrator`, password: "Adm1n-of-the-test" } as const;

const HOST = "dc1";
const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 20_000;
const POLL_MS = 50;

export interface Controller {
  readonly folder: string;
  /** The authority of its certificate, which names `localhost`, its own name and 127.0.0.1. */
  readonly caPem: string;
  /** For clients of Kerberos: `KRB5_CONFIG`. */
  readonly krb5Config: string;
  start(): Promise<void>;
  /** Also where it does not run. */
  stop(): Promise<void>;
  /** From now on, after a new start: Samba's `allow_sasl_over_tls`, which lets SASL without signatures into TLS. */
  allowSaslInTls(): Promise<void>;
  /** Writes into its database while it does not run. */
  add(ldif: string): Promise<void>;
  /** `samba-tool` with these arguments, on its database. */
  tool(...args: readonly string[]): Promise<string>;
  /** Stops it and takes everything away. */
  remove(): Promise<void>;
}

/** @throws Error with what the tools say */
export async function provision(): Promise<Controller> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-dc-"));
  const config = join(folder, "etc/smb.conf");
  const database = join(folder, "private/sam.ldb");
  await run("samba-tool", [
    ...["domain", "provision", `--realm=${REALM}`, `--domain=${DOMAIN}`, "--server-role=dc", `--host-name=${HOST}`],
    ...[`--adminpass=${ADMINISTRATOR.password}`, "--host-ip=127.0.0.1", "--dns-backend=NONE", `--targetdir=${folder}`],
  ]);
  const authority = await makeAuthority();
  const issued = await authority.issue({
    names: ["localhost", `${HOST}.${REALM.toLowerCase()}`],
    addresses: ["127.0.0.1"],
  });
  const tls = { key: join(folder, "tls.key"), cert: join(folder, "tls.crt"), ca: join(folder, "ca.crt") };
  writeFileSync(tls.key, issued.key, { mode: 0o600 });
  writeFileSync(tls.cert, issued.cert);
  writeFileSync(tls.ca, authority.caPem);
  const own = join(folder, "run");
  mkdirSync(own);
  appendToGlobals(config, [
    "server services = ldap cldap kdc",
    // Of this one's own, so that another beside it, or the machine's, is none of its business.
    ...[`pid directory = ${own}`, `ncalrpc dir = ${own}`, `winbindd socket directory = ${own}`],
    "interfaces = lo",
    "bind interfaces only = yes",
    "ldap server require strong auth = yes",
    ...["tls enabled = yes", `tls keyfile = ${tls.key}`, `tls certfile = ${tls.cert}`, `tls cafile = ${tls.ca}`],
  ]);
  const krb5Config = join(folder, "krb5.conf");
  writeFileSync(
    krb5Config,
    `[libdefaults]
  default_realm = ${REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  ${REALM} = {
    kdc = 127.0.0.1
  }
`,
  );
  let process: ChildProcess | undefined;
  const log = join(folder, "samba.log");
  const controller: Controller = {
    ...{ folder, caPem: authority.caPem, krb5Config },
    async start() {
      const child = spawn("samba", ["-s", config, "-i", "-M", "single", "--debug-stdout"], {
        // What it leaves behind goes with it.
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => appendFileSync(log, chunk));
      process = child;
      await answers([389, 636, 88], child, log);
    },
    async stop() {
      if (process === undefined) return;
      await end(process);
      process = undefined;
    },
    async allowSaslInTls() {
      await controller.stop();
      const text = readFileSync(config, "utf8");
      writeFileSync(config, text.replace(/strong auth = yes/, "strong auth = allow_sasl_over_tls"));
      await controller.start();
    },
    async add(ldif) {
      const file = join(folder, "add.ldif");
      writeFileSync(file, ldif);
      await run("ldbadd", ["-H", database, file], { maxBuffer: 2 ** 26 });
      rmSync(file);
    },
    async tool(...args) {
      const { stdout } = await run("samba-tool", [...args, "-s", config, "-H", database]);
      return stdout;
    },
    async remove() {
      await controller.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  // Windows registers it by itself.
  await run("samba-tool", [
    "spn",
    "add",
    `ldap/${HOST}.${REALM.toLowerCase()}`,
    `${HOST.toUpperCase()}$`,
    "-s",
    config,
  ]);
  return controller;
}

function appendToGlobals(file: string, lines: readonly string[]): void {
  const [before, ...after] = readFileSync(file, "utf8").split("[global]\n");
  writeFileSync(file, `${before}[global]\n${lines.map((line) => `\t${line}\n`).join("")}${after.join("[global]\n")}`);
}

/** @throws Error with the end of its log, where it ended or did not open its ports */
async function answers(ports: readonly number[], child: ChildProcess, log: string): Promise<void> {
  const untilMs = performance.now() + START_WITHIN_MS;
  for (const port of ports) {
    while (!(await isOpen(port))) {
      if (child.exitCode !== null || performance.now() > untilMs) {
        throw new Error(`Samba does not listen on ${port}:\n${readFileSync(log, "utf8").slice(-4000)}`);
      }
      await pause(POLL_MS);
    }
  }
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const group = -child.pid;
  process.kill(group, "SIGTERM");
  const timer = setTimeout(() => process.kill(group, "SIGKILL"), STOP_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}
