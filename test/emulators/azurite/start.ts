/**
 * Azurite as it is, as a child process on free loopback ports: the Blob and Table services that the orchestrator uses.
 * It loses up to five seconds of confirmed writes when killed with SIGKILL, so tests of crashes kill our side instead.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { boundNode } from "../processes/bound.ts";

/** The account that Azurite knows without configuration; its key is public. */
export const ACCOUNT = "devstoreaccount1";
export const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/** Loaded before it, for systems where the kernel does not see to it: its standard input closes when this process is gone. */
const ENDS_WITH_US = "data:text/javascript,process.stdin.resume().on('end',()=>process.exit())";

export interface AzuriteOptions {
  /** Where it keeps its data; created. It is the caller's to remove after `close`. */
  readonly folder: string;
  /** PEM texts; with them all three services speak HTTPS only. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface Azurite {
  readonly connectionString: string;
  readonly blobUrl: string;
  readonly tableUrl: string;
  /** Ends the process and waits for its exit. */
  close(): Promise<void>;
}

/**
 * Starts Azurite and resolves when blob, queue and table listen. Throws with its output if it ends before.
 * @param signal gives the start up; afterwards `close` ends it
 */
export async function startAzurite(options: AzuriteOptions, signal?: AbortSignal): Promise<Azurite> {
  await mkdir(options.folder, { recursive: true });
  const { command, args, detached } = boundNode(["--import", ENDS_WITH_US, entryPoint(), ...(await flags(options))]);
  signal?.throwIfAborted();
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], cwd: options.folder, detached });
  child.stdin.on("error", () => undefined); // it is gone, which `exited` tells
  const exited = once(child, "exit");
  const endChild = () => void child.kill("SIGKILL");
  process.once("exit", endChild);
  signal?.addEventListener("abort", endChild);
  const said: string[] = [];
  const ports = new Map<string, string>();
  const listening = Promise.withResolvers<void>();
  const onLine = (line: string) => {
    said.push(line);
    const match = /Azurite (Blob|Queue|Table) service (?:is )?successfully listen\w* (?:at|on) (\S+)/.exec(line);
    if (match) ports.set(match[1]!, match[2]!);
    if (ports.size === 3) listening.resolve();
  };
  createInterface({ input: child.stdout }).on("line", onLine);
  createInterface({ input: child.stderr }).on("line", onLine);
  void exited.then(() => listening.reject(new Error(`Azurite ended while starting:\n${said.join("\n")}`)));
  await listening.promise;
  signal?.removeEventListener("abort", endChild);
  const blobUrl = `${ports.get("Blob")}/${ACCOUNT}`;
  const tableUrl = `${ports.get("Table")}/${ACCOUNT}`;
  const protocol = options.tls ? "https" : "http";
  return {
    blobUrl,
    tableUrl,
    connectionString: `DefaultEndpointsProtocol=${protocol};AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${blobUrl};TableEndpoint=${tableUrl};`,
    async close() {
      process.off("exit", endChild);
      child.kill("SIGTERM");
      // Its orderly end waits for keep-alive connections of clients that never close theirs.
      const forced = setTimeout(endChild, 3000);
      await exited;
      clearTimeout(forced);
    },
  };
}

function entryPoint(): string {
  return createRequire(import.meta.url).resolve("azurite/dist/src/azurite.js");
}

async function flags(options: AzuriteOptions): Promise<string[]> {
  const list = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"];
  for (const service of ["blob", "queue", "table"]) list.push(`--${service}Host`, "127.0.0.1", `--${service}Port`, "0");
  list.push("--location", options.folder);
  if (!options.tls) return list;
  const cert = join(options.folder, "azurite-cert.pem");
  const key = join(options.folder, "azurite-key.pem");
  await writeFile(cert, options.tls.cert);
  await writeFile(key, options.tls.key, { mode: 0o600 });
  // `basic` makes it take bearer tokens as Azure would, which it does over HTTPS only.
  return [...list, "--cert", cert, "--key", key, "--oauth", "basic"];
}
