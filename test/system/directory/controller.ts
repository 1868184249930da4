/** A Samba domain controller of the suite's own: provisioned in a folder, on the loopback, gone with the suite. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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
const START_WITHIN_MS = 180_000;
const STOP_WITHIN_MS = 20_000;
const POLL_MS = 50;
/** Records in one transaction: of 5,000 the later ones take ten times as long as the first. */
const AT_ONCE = 300;

export interface Controller {
  readonly folder: string;
  /** The authority of its certificate, which names `localhost`, its own name and 127.0.0.1. */
  readonly caPem: string;
  /** For clients of Kerberos: `KRB5_CONFIG`. */
  readonly krb5Config: string;
  start(): Promise<void>;
  /** Also where it does not run. */
  stop(): Promise<void>;
  /** Ends it in the middle of whatever it does. */
  kill(): Promise<void>;
  /** It does nothing any more, and its connections stay. */
  freeze(): void;
  thaw(): void;
  /** Keeps its database as it is now; it is stopped for that, and runs afterwards. */
  keep(): Promise<void>;
  /** It runs with what was kept: as itself, with numbers of then, or as another that has counted by itself. */
  putBack(who?: "as another"): Promise<void>;
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
  const [own, kept] = [join(folder, "private"), join(folder, "kept")];
  const database = join(own, "sam.ldb");
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
  const sockets = join(folder, "run");
  mkdirSync(sockets);
  appendToGlobals(config, [
    "server services = ldap cldap kdc",
    // Of this one's own, so that another beside it, or the machine's, is none of its business.
    ...[`pid directory = ${sockets}`, `ncalrpc dir = ${sockets}`, `winbindd socket directory = ${sockets}`],
    // Half the time would go to the disk; a kill loses nothing that was written.
    "ldb:nosync = yes",
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
      // It never outlives us, whatever ends us.
      const bound = ["--pdeathsig", "KILL", "samba", "-s", config, "-i", "-M", "single", "--debug-stdout"];
      const child = spawn("setpriv", bound, {
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
    async kill() {
      if (process !== undefined) await end(process, "SIGKILL");
      process = undefined;
    },
    freeze: () => signal(process, "SIGSTOP"),
    thaw: () => signal(process, "SIGCONT"),
    async keep() {
      await controller.stop();
      rmSync(kept, { recursive: true, force: true });
      copyFolder(own, kept);
      await controller.start();
    },
    async putBack(who) {
      await controller.stop();
      rmSync(own, { recursive: true, force: true });
      copyFolder(kept, own);
      if (who !== undefined) await modify(database, INVOCATION);
      await controller.start();
    },
    async allowSaslInTls() {
      await controller.stop();
      const text = readFileSync(config, "utf8");
      writeFileSync(config, text.replace(/strong auth = yes/, "strong auth = allow_sasl_over_tls"));
      await controller.start();
    },
    async add(ldif) {
      const file = join(folder, "add.ldif");
      const records = ldif.split("\n\n");
      for (let at = 0; at < records.length; at += AT_ONCE) {
        writeFileSync(file, records.slice(at, at + AT_ONCE).join("\n\n"));
        await run("ldbadd", ["--nosync", "-H", database, file], { maxBuffer: 2 ** 26 });
      }
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

/** Of its own server object: what it counts is another's from then on. */
const INVOCATION = `dn: CN=NTDS Settings,CN=${HOST.toUpperCase()},CN=Servers,CN=Default-First-Site-Name,CN=Sites,CN=Configuration,${DC}
changetype: modify
replace: invocationId
invocationId: 6f4d5a1e-1111-4222-8333-444455556666
`;

async function modify(database: string, ldif: string): Promise<void> {
  const file = `${database}.ldif`;
  writeFileSync(file, ldif);
  await run("ldbmodify", ["-H", database, file]);
  rmSync(file);
}

/** Without the sockets in it. */
const copyFolder = (from: string, to: string): void =>
  cpSync(from, to, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });

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

function signal(child: ChildProcess | undefined, name: NodeJS.Signals): void {
  if (child?.pid !== undefined) process.kill(-child.pid, name);
}

async function end(child: ChildProcess, name: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  signal(child, name);
  const timer = setTimeout(() => signal(child, "SIGKILL"), STOP_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}
