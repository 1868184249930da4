/** A function host behind proxies, as a process that can be killed, held still, and started again at the same address. */
import {
  type FunctionsHost,
  type FunctionsHostOptions,
  startFunctionsHost,
} from "../../emulators/functions-host/start.ts";
import { call } from "../../stack/https.ts";
import { createGate, type Gate } from "./gate.ts";
import { openAmqpProxy } from "./proxies/amqp.ts";
import { type OnReply, type OpenProxy, openHttpProxy } from "./proxies/http.ts";
import { openRelayProxy } from "./proxies/relay.ts";
import { blobRequest, createTableReader } from "./seen.ts";

export interface Services {
  readonly blobUrl: string;
  readonly tableUrl: string;
  /** A connection string that names both. */
  readonly storage: string;
  readonly queue: { readonly port: number; readonly connectionString: string };
  readonly relayPort: number;
  readonly tls: { readonly key: string; readonly cert: string };
  readonly ca: string;
}

/** The same services as their clients find them through the proxies. */
export interface Behind {
  readonly storage: string;
  readonly queue: string;
  readonly dialAt: string;
}

export interface Proxies extends Behind {
  close(): Promise<void>;
}

export async function openProxies(services: Services, gate: Gate, onReply?: OnReply): Promise<Proxies> {
  const { blobUrl, tableUrl, storage, queue, relayPort, tls, ca } = services;
  const opened: OpenProxy[] = [];
  const open = async (proxy: Promise<OpenProxy>) => {
    const { port } = await proxy.then((it) => {
      opened.push(it);
      return it;
    });
    return port;
  };
  const blobs = await open(openHttpProxy(blobUrl, blobRequest, gate, onReply));
  const tables = await open(openHttpProxy(tableUrl, createTableReader(), gate, onReply));
  const bus = await open(openAmqpProxy(queue.port, gate));
  const relay = await open(openRelayProxy({ targetPort: relayPort, tls, ca }, gate));
  const at = (url: string, port: number) => url.replace(/:\d+\//, `:${port}/`);
  return {
    storage: storage.replace(blobUrl, at(blobUrl, blobs)).replace(tableUrl, at(tableUrl, tables)),
    queue: queue.connectionString.replace(`:${queue.port};`, `:${bus};`),
    dialAt: `localhost:${relay}`,
    close: async () => {
      await Promise.all(opened.map((proxy) => proxy.close()));
    },
  };
}

export interface Host {
  readonly origin: string;
  readonly gate: Gate;
  readonly pid: number;
  /** Resolves when a process answers at `origin`; it may be killed right after. */
  up(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. Another one starts at once. */
  crash(): Promise<void>;
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  /** One call of the public API. @throws when nobody answers within `withinMs` */
  api(method: string, path: string, body: unknown, withinMs: number): Promise<{ status: number; body: string }>;
  close(): Promise<void>;
}

export interface HostOptions {
  readonly gate?: Gate;
  readonly ca: string;
  readonly adminKey: string;
  readonly start: Omit<FunctionsHostOptions, "port"> & { readonly port?: number };
}

export async function startHost({ gate = createGate(), ca, adminKey, start }: HostOptions): Promise<Host> {
  let process = await startFunctionsHost(start);
  const origin = process.url;
  const port = Number(new URL(origin).port);
  let ending = false;
  let starting: Promise<FunctionsHost> = Promise.resolve(process);

  async function restart(): Promise<FunctionsHost> {
    process = await startFunctionsHost({ ...start, port });
    return process;
  }

  return {
    origin,
    gate,
    get pid() {
      return process.pid;
    },
    up: async () => void (await starting),
    async crash() {
      await starting;
      process.kill("SIGKILL");
      await process.exited;
      if (ending) return;
      starting = restart();
      starting.catch(() => undefined); // told to whoever waits for it
    },
    signal: (signal) => process.kill(signal),
    async api(method, path, body, withinMs) {
      const answer = await call(`${origin}/api/v1${path}`, {
        method,
        ca,
        headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(withinMs),
      });
      return { status: answer.status, body: answer.body.toString("utf8") };
    },
    async close() {
      ending = true;
      gate.clear();
      await starting.catch(() => undefined);
      process.kill("SIGCONT");
      await process.close();
    },
  };
}
