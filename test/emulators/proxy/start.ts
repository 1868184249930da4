/**
 * A company's proxy: HTTP CONNECT (RFC 9110 section 9.3.6) with or without Basic auth (RFC 7617), one that never
 * answers, and one that opens TLS with certificates of its own authority (`intercept.ts`). Loopback only.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createInterceptor, type Interception, type Interceptor } from "./intercept.ts";

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** `mute` takes connections and never says a word; `refuse` answers 403 with the client's own login in the reason. */
export type Manner = "forward" | "mute" | "refuse";

export interface ProxyOptions {
  /** Names that lead to this machine, as only this proxy knows them; others are not reached. */
  readonly names: readonly string[];
  /** Wanted of each client; none by default. */
  readonly login?: Login;
  readonly interception?: Interception;
}

export interface ProxyStats {
  /** TCP connections taken so far. */
  readonly connections: number;
  /** `host:port` of each tunnel that was opened. */
  readonly tunnels: readonly string[];
  /** Tunnels refused for want of the right login. */
  readonly refused: number;
}

export interface TestProxy {
  readonly port: number;
  /** For `proxy` in agent.yaml; with a login as given, right or wrong. */
  url(login?: Login): string;
  manner: Manner;
  stats(): ProxyStats;
  /** Settles with the next TCP connection. */
  connected(): Promise<void>;
  /** What an intercepting proxy read, both directions, newest last. */
  read(): Buffer;
  stop(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const sockets = new Set<Duplex>();
  const stats = { connections: 0, tunnels: [] as string[], refused: 0 };
  const interceptor: Interceptor | undefined = options.interception && createInterceptor(options.interception);

  const keep = (socket: Duplex): void => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };

  const onConnect = async (request: IncomingMessage, client: Duplex): Promise<void> => {
    keep(client);
    if (proxy.manner === "mute") return;
    if (proxy.manner === "refuse") {
      const { login } = credentialsOf(request);
      return void client.end(`HTTP/1.1 403 Forbidden for ${login}\r\n\r\n`);
    }
    if (options.login !== undefined && !isLogin(request, options.login)) {
      stats.refused += 1;
      return void client.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n',
      );
    }
    const [host = "", port = "443"] = request.url?.split(":") ?? [];
    if (!options.names.includes(host)) return void client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    stats.tunnels.push(`${host}:${port}`);
    client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (interceptor !== undefined) return interceptor.take(client as Socket, host, Number(port), keep);
    const server = connect(Number(port), "127.0.0.1");
    keep(server);
    client.pipe(server).pipe(client);
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  };

  const server = createServer((_request, response) => void response.writeHead(405).end());
  server.on("connection", (socket: Socket) => {
    stats.connections += 1;
    keep(socket);
  });
  server.on("connect", (request, client) => void onConnect(request, client));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const proxy: TestProxy = {
    port,
    manner: "forward",
    url: (login = options.login) =>
      login === undefined
        ? `http://127.0.0.1:${port}`
        : `http://${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}@127.0.0.1:${port}`,
    stats: () => ({ ...stats, tunnels: [...stats.tunnels] }),
    connected: () => once(server, "connection").then(() => undefined),
    read: () => interceptor?.read() ?? Buffer.alloc(0),
    async stop() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      interceptor?.stop();
      await closed;
    },
  };
  return proxy;
}

/** `user:password` as the client sent it, empty without. */
function credentialsOf(request: IncomingMessage): { readonly login: string } {
  const encoded = /^Basic (\S+)$/.exec(request.headers["proxy-authorization"] ?? "")?.[1] ?? "";
  return { login: Buffer.from(encoded, "base64").toString("utf8") };
}

const isLogin = (request: IncomingMessage, { user, password }: Login): boolean =>
  credentialsOf(request).login === `${user}:${password}`;
