/**
 * The intercepting half of the proxy: it shows clients a certificate of its own authority for whatever host they want,
 * reads what passes, and may replace bodies of requests and answers. WebSockets pass byte by byte.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, TLSSocket, connect as tlsConnect } from "node:tls";
import type { Authority } from "../tls/certificates.ts";

export interface Interception {
  /** Signs the certificates that clients are shown. */
  readonly authority: Authority;
  /** PEM of what the proxy itself trusts of the servers behind it. */
  readonly upstreamCa: string;
  /** Replaces a request's body on its way out; by default it goes as it is. */
  readonly request?: (path: string, body: Buffer) => Buffer | Promise<Buffer>;
  /** Replaces an answer's body on its way back. */
  readonly answer?: (path: string, body: Buffer) => Buffer | Promise<Buffer>;
}

export interface Interceptor {
  take(client: Socket, host: string, port: number, keep: (socket: Duplex) => void): void;
  read(): Buffer;
  stop(): void;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly keep: (socket: Duplex) => void;
}

export function createInterceptor(interception: Interception): Interceptor {
  const { authority, upstreamCa, request: alterRequest = same, answer: alterAnswer = same } = interception;
  const read: Buffer[] = [];
  const contexts = new Map<string, ReturnType<typeof contextFor>>();
  const targets = new WeakMap<Duplex, Target>();

  async function contextFor(host: string) {
    const { key, cert } = await authority.issue({ names: [host] });
    return createSecureContext({ key, cert });
  }

  const upstream = ({ host, port, keep }: Target): TLSSocket => {
    const socket = tlsConnect({ host: "127.0.0.1", port, servername: host, ca: upstreamCa });
    keep(socket);
    return socket;
  };

  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = targets.get(request.socket)!;
    const path = request.url ?? "/";
    const body = Buffer.from(await alterRequest(path, await bodyOf(request)));
    read.push(Buffer.from(JSON.stringify(request.headers)), body);
    const { "content-length": _length, ...headers } = request.headers;
    const options = { method: request.method, path, headers: { ...headers, "content-length": body.byteLength } };
    const onward = httpsRequest({ ...options, createConnection: () => upstream(target) }, async (from) => {
      const original = await bodyOf(from);
      read.push(original);
      const answered = Buffer.from(await alterAnswer(path, original));
      const { "content-length": _old, "transfer-encoding": _chunked, ...kept } = from.headers;
      response.writeHead(from.statusCode ?? 502, { ...kept, "content-length": answered.byteLength }).end(answered);
    });
    onward.on("error", () => response.destroy());
    onward.end(body);
  };

  const onUpgrade = (request: IncomingMessage, client: Duplex, head: Buffer): void => {
    const server = upstream(targets.get(client)!);
    const lines = request.rawHeaders.flatMap((name, at, all) => (at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : []));
    server.write(`GET ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    server.write(head);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on("data", (chunk: Buffer) => read.push(chunk));
      from.pipe(to);
      from.on("close", () => to.destroy());
    }
  };

  const http = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy());
  });
  http.on("upgrade", onUpgrade);

  return {
    take(client, host, port, keep) {
      if (!contexts.has(host)) contexts.set(host, contextFor(host));
      void contexts.get(host)!.then((secureContext) => {
        const opened = new TLSSocket(client, { isServer: true, secureContext });
        keep(opened);
        targets.set(opened, { host, port, keep });
        http.emit("connection", opened);
      });
    },
    read: () => Buffer.concat(read),
    stop: () => http.closeAllConnections(),
  };
}

const same = (_path: string, body: Buffer): Buffer => body;

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
