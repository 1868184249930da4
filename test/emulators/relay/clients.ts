import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { TestContext } from "node:test";
import { type ClientOptions, type RawData, WebSocket } from "ws";
import { type Authority, makeAuthority } from "../tls/certificates.ts";
import type { AuthorizationRule, RelayOptions } from "./options.ts";
import { mintSas } from "./sas.ts";
import { type Relay, startRelay } from "./start.ts";

/** Clients of the relay for its tests: ws 8, speaking the protocol by hand. */

export const RULES = {
  root: { name: "root", primaryKey: "root-primary", secondaryKey: "root-secondary", rights: ["Manage"] },
  listen: { name: "listen", primaryKey: "listen-primary", secondaryKey: "listen-secondary", rights: ["Listen"] },
  send: { name: "send", primaryKey: "send-primary", rights: ["Send"] },
} as const satisfies Record<string, AuthorizationRule>;

export type Accept = {
  address: string;
  id: string;
  connectHeaders: Record<string, string>;
  remoteEndpoint: { address: string; port: number };
};

/** How a handshake ended: `status` 101, or the refusal. */
export type Outcome = { status: number; reason: string; error?: string };
export type Bench = {
  readonly relay: Relay;
  readonly ca: string;
  token(rule: { name: string; primaryKey: string }, path?: string, secondsFromNow?: number): string;
  url(action: "listen" | "connect", path: string, extra?: string): string;
  open(url: string, options?: ClientOptions, protocols?: string[]): WebSocket;
  listen(path: string, token?: string): Promise<WebSocket>;
  connect(path: string, options?: ClientOptions, protocols?: string[]): WebSocket;
  /** A listener, and a sender whose connection it accepted. */
  pair(path: string): Promise<{ control: WebSocket; listenerSide: WebSocket; senderSide: WebSocket }>;
};

let authority: Promise<Authority> | undefined;

/** Starts a relay with the entities a1 and a2, stopped and with every client's socket gone when the test ends. */
export async function makeBench(t: TestContext, options: Partial<RelayOptions> = {}): Promise<Bench> {
  authority ??= makeAuthority();
  const { caPem: ca, issue } = await authority;
  const sockets = new Set<WebSocket>();
  const relay = await startRelay({
    tls: await issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    namespaceRules: Object.values(RULES),
    entities: [{ path: "agents/a1" }, { path: "agents/a2" }],
    ...options,
  });
  t.after(async () => {
    for (const socket of sockets) socket.terminate();
    await relay.stop();
  });
  const bench: Bench = {
    relay,
    ca,
    token: (rule, path = "", secondsFromNow = 600) =>
      mintSas(`http://localhost/${path}`, rule.name, rule.primaryKey, Math.floor(Date.now() / 1000) + secondsFromNow),
    url: (action, path, extra = "") =>
      `wss://localhost:${relay.controlPort}/$hc/${path}?sb-hc-action=${action}${extra}`,
    open(url, clientOptions = {}, protocols = []) {
      const socket = new WebSocket(url, protocols, { ca, perMessageDeflate: false, ...clientOptions });
      socket.on("error", () => undefined);
      sockets.add(socket);
      return socket;
    },
    async listen(path, token = bench.token(RULES.listen, path)) {
      const control = bench.open(bench.url("listen", path), { headers: { ServiceBusAuthorization: token } });
      await once(control, "open");
      return control;
    },
    connect: (path, clientOptions = {}, protocols = []) =>
      bench.open(
        bench.url("connect", path),
        {
          ...clientOptions,
          headers: { ServiceBusAuthorization: bench.token(RULES.send, path), ...clientOptions.headers },
        },
        protocols,
      ),
    async pair(path) {
      const control = await bench.listen(path);
      const accepting = nextAccept(control);
      const senderSide = bench.connect(path);
      const listenerSide = bench.open((await accepting).address);
      await Promise.all([once(senderSide, "open"), once(listenerSide, "open")]);
      return { control, listenerSide, senderSide };
    },
  };
  return bench;
}

/** How a socket's handshake ends. */
export function outcome(socket: WebSocket): Promise<Outcome> {
  return new Promise((resolve) => {
    socket.on("open", () => resolve({ status: 101, reason: "" }));
    socket.on("unexpected-response", (request, response: IncomingMessage) => {
      resolve({ status: response.statusCode ?? 0, reason: response.statusMessage ?? "" });
      request.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, reason: error.message, error: error.code ?? "" }),
    );
  });
}

/** The next `accept` on a control channel. */
export async function nextAccept(control: WebSocket): Promise<Accept> {
  const [data] = (await once(control, "message")) as [RawData];
  return JSON.parse(data.toString()).accept;
}

/** The code and reason a socket closes with, also after an error. */
export function closing(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })));
}

/** The next `count` messages, text as strings and binary as buffers. */
export function messages(socket: WebSocket, count: number): Promise<(string | Buffer)[]> {
  const got: (string | Buffer)[] = [];
  return new Promise((resolve) => {
    socket.on("message", function take(data: Buffer, isBinary) {
      got.push(isBinary ? data : data.toString());
      if (got.length < count) return;
      socket.off("message", take);
      resolve(got);
    });
  });
}
