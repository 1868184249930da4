/** A domain controller on loopback, for tests: LDAP and LDAPS over objects in memory. See README.md beside this file. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createSecureContext, createServer as createTlsServer } from "node:tls";
import type { Account } from "./accounts.ts";
import type { Cookies } from "./dir-sync.ts";
import type { Rights } from "./rights.ts";
import type { Answer, Asked, SearchLimits } from "./search.ts";
import { serveSession } from "./session.ts";
import { createStore, type Store, type Stored } from "./store.ts";

export type { Account } from "./accounts.ts";
export type { Answer, Asked } from "./search.ts";
export { type Store, sidBytes, type Values } from "./store.ts";

export type LogEntry =
  | { readonly event: "bind"; readonly user: string; readonly password: boolean; readonly tls: boolean }
  | { readonly event: "search"; readonly base: string; readonly attributes: readonly string[] }
  /** `tag`: of the request [RFC 4511 4.6 to 4.8]. */
  | { readonly event: "change"; readonly tag: number; readonly object: string };

/** A SASL sign-in's step: what came, and the `tls-server-end-point` that it has to name where TLS is in force. */
export type SaslStep = (given: {
  readonly mechanism: string;
  readonly token: Buffer;
  readonly binding: Buffer | undefined;
}) =>
  | { readonly account?: Account; readonly token: Buffer }
  | { readonly refused: "channelBinding" | (string & {}) }
  | undefined;

export interface LdapOptions {
  /** Where everything is: `DC=corp,DC=example`. */
  readonly domain?: string;
  /** PEM. */
  readonly tls: { readonly key: string; readonly cert: string };
  readonly accounts: readonly Account[];
  readonly limits?: Partial<SearchLimits>;
  /** Simple sign-ins are refused without TLS (`ldap server require strong auth`). */
  readonly requiresSigning?: boolean;
  readonly sasl?: SaslStep;
  /** What the controller takes for the time. */
  readonly nowMs?: () => number;
  /** Ports; 0, the default, chooses a free one. */
  readonly ports?: { readonly ldap?: number; readonly ldaps?: number };
}

/** What a connection is served from. Functions that a test sets decide instead of the emulator. */
export interface Emulated {
  readonly store: Store;
  readonly cookies: Cookies;
  readonly accounts: readonly Account[];
  readonly limits: SearchLimits;
  readonly requiresSigning: boolean;
  readonly sasl: SaslStep | undefined;
  readonly nowMs: () => number;
  log(entry: LogEntry): void;
  /** Answers a search in the emulator's place; undefined leaves it to the emulator. */
  answer?: ((asked: Asked) => Answer | undefined) | undefined;
  /** What an account may write of an object; without it, and where it says nothing, everything. */
  rights?: ((account: Account, object: Stored) => Rights | undefined) | undefined;
  /** Sees each message first; one that is swallowed is not answered. */
  onMessage?: ((message: Incoming) => "swallow" | undefined) | undefined;
}

export interface Incoming {
  readonly id: number;
  readonly tag: number;
  readonly stream: Socket;
  send(bytes: Buffer): void;
}

export interface Ldap {
  readonly ldapPort: number;
  readonly ldapsPort: number;
  readonly store: Store;
  readonly log: readonly LogEntry[];
  /** To be set by a test that wants something unusual. */
  readonly emulated: Emulated;
  /** Connections that are open now. */
  readonly connections: number;
  /** Forgets every cookie of DirSync given so far, as a controller that was restored. */
  forgetCookies(): void;
  /** Resets every connection there is. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts the emulator on 127.0.0.1. Rejects when a port is taken. */
export async function startLdap(options: LdapOptions): Promise<Ldap> {
  const { domain = "DC=corp,DC=example", tls, accounts, limits, nowMs = Date.now } = options;
  const log: LogEntry[] = [];
  const emulated: Emulated = {
    ...{ store: createStore(domain, nowMs), cookies: { generation: 1 }, accounts, nowMs },
    limits: { pageSize: 1000, values: 1500, dirSync: 1000, ...limits },
    requiresSigning: options.requiresSigning ?? false,
    sasl: options.sasl,
    log: (entry) => {
      log.push(entry);
    },
  };
  const secured = { certificate: new X509Certificate(tls.cert).raw, context: createSecureContext(tls) };
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => serveSession(socket, emulated, secured);
  // An answer is many small writes. Without this each search would end 40 ms late, with the other end's delayed acknowledgement.
  const noDelay = true;
  const servers: readonly Server[] = [createServer({ noDelay }, serve), createTlsServer({ ...tls, noDelay }, serve)];
  for (const server of servers) {
    server.on("tlsClientError", () => undefined);
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
    });
  }
  const [ldapPort, ldapsPort] = await Promise.all([
    listen(servers[0]!, options.ports?.ldap),
    listen(servers[1]!, options.ports?.ldaps),
  ]);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    ...{ ldapPort, ldapsPort, store: emulated.store, log, emulated, cut },
    forgetCookies() {
      emulated.cookies.generation += 1;
    },
    get connections() {
      return sockets.size;
    },
    async close() {
      const closed = servers.map((server) => once(server, "close"));
      for (const server of servers) server.close();
      cut();
      await Promise.all(closed);
    },
  };
}

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
