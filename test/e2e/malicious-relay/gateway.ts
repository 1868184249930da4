/**
 * A relay in hostile hands: it takes senders and executors on one TLS port and hands both ends to the test, which passes
 * on, changes, swaps, replays or withholds what it likes. Forged accepts reach the agent over its real control channel.
 */
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { WEBSOCKET_PROTOCOL } from "@sallyport/shared/protocol/records.ts";
import { type WebSocket, WebSocketServer } from "ws";
import type { Certificate } from "../../emulators/tls/certificates.ts";

/** One end of a session, sender's or executor's. */
export interface End {
  readonly socket: WebSocket;
  /** Of the sender's connect; empty for an executor. */
  readonly challenge: string;
  /** `Sec-WebSocket-Extensions` as it was offered; empty without. */
  readonly extensions: string;
  /** The next message; undefined once the end has closed. */
  next(): Promise<Message | undefined>;
  /** Settles with the code of its close. */
  readonly closed: Promise<number>;
}

export interface Message {
  readonly data: Buffer;
  readonly binary: boolean;
}

export interface Gateway {
  readonly port: number;
  /** A rendezvous address of this gateway, each one different. */
  address(): string;
  sender(): Promise<End>;
  /** The executor that comes to this address. */
  executor(address: string): Promise<End>;
  /** Every executor that has come so far. */
  readonly executors: readonly End[];
  /** Addresses that were dialled to reject them, with the reason. */
  readonly rejections: readonly string[];
  /** Whether upgrades are left unanswered. */
  hang: boolean;
  /** TCP connections that are open now. */
  readonly open: number;
  stop(): Promise<void>;
}

export async function startGateway(certificate: Certificate): Promise<Gateway> {
  const server = createServer(certificate);
  const upgrades = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: () => WEBSOCKET_PROTOCOL,
  });
  const sockets = new Set<Socket>();
  const rejections: string[] = [];
  const executors: End[] = [];
  const queues = new Map<string, ReturnType<typeof makeQueue<End>>>();
  const queueOf = (name: string) => {
    const queue = queues.get(name) ?? makeQueue<End>();
    queues.set(name, queue);
    return queue;
  };
  let addresses = 0;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    if (gateway.hang) return;
    const url = new URL(request.url ?? "/", "https://localhost");
    const status = url.searchParams.get("sb-hc-statusCode");
    if (status !== null) {
      rejections.push(`${status} ${url.searchParams.get("sb-hc-statusDescription")}`);
      return void socket.end("HTTP/1.1 410 Gone\r\n\r\n");
    }
    const isSender = url.searchParams.get("sb-hc-action") === "connect";
    const challenge = String(request.headers["sallyport-challenge"] ?? "");
    upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      const end = endOf(webSocket, challenge, request.headers["sec-websocket-extensions"]);
      if (!isSender) executors.push(end);
      queueOf(isSender ? "sender" : url.pathname).push(end);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const gateway: Gateway = {
    port,
    hang: false,
    rejections,
    executors,
    get open() {
      return sockets.size;
    },
    address: () => `wss://localhost:${port}/$hc/hostile/${addresses++}?sb-hc-action=accept`,
    sender: () => queueOf("sender").shift(),
    executor: (address) => queueOf(new URL(address).pathname).shift(),
    async stop() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return gateway;
}

function endOf(socket: WebSocket, challenge: string, extensions = ""): End {
  const messages = makeQueue<Message | undefined>();
  const closed = Promise.withResolvers<number>();
  socket.on("error", () => {});
  socket.on("message", (data: Buffer, binary) => messages.push({ data, binary }));
  socket.on("close", (code) => {
    messages.push(undefined);
    closed.resolve(code);
  });
  return { socket, challenge, extensions, next: () => messages.shift(), closed: closed.promise };
}

/** What arrives waits until it is asked for. */
function makeQueue<T>(): { push(item: T): void; shift(): Promise<T> } {
  const items: T[] = [];
  const waiting: ((item: T) => void)[] = [];
  return {
    push(item) {
      const next = waiting.shift();
      if (next === undefined) items.push(item);
      else next(item);
    },
    shift: () => (items.length > 0 ? Promise.resolve(items.shift() as T) : new Promise((go) => waiting.push(go))),
  };
}
