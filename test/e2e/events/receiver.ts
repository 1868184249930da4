/** Somebody's receiver of webhooks: it knows docs/events.md and nothing of the product, and it misbehaves on demand. */
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { pathToFileURL } from "node:url";

export type IsGenuine = (headers: IncomingHttpHeaders, body: Buffer, secret: string, nowSeconds?: number) => boolean;

/** The check that docs/events.md shows, run from the page itself. */
export async function checkFromDocument(folder: string): Promise<IsGenuine> {
  const page = readFileSync(new URL("../../../docs/events.md", import.meta.url), "utf8");
  const [, code] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  if (code === undefined) throw new Error("docs/events.md shows no receiver's check");
  const file = join(folder, "receiver-check.mjs");
  writeFileSync(file, code);
  const { isGenuine } = (await import(pathToFileURL(file).href)) as { isGenuine: IsGenuine };
  return isGenuine;
}

/** `hang`: never answers. `late`: with 200, when nobody waits any more. `reset`: cuts the connection. `restart`: is gone for a while. */
export type Mood = "take" | "fail" | "hang" | "redirect" | "late" | "reset" | "restart";

export interface Event {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly data: Record<string, unknown>;
}

export interface Arrival {
  readonly event: Event;
  readonly genuine: boolean;
  /** How many signatures stood in its header. */
  readonly signatures: number;
  readonly mood: Mood;
}

export interface Receiver {
  readonly url: string;
  /** Everything that came. */
  readonly arrivals: Arrival[];
  /** What it does with the next requests, one after the other; then it takes them. */
  readonly moods: Mood[];
  secret: string;
  /** Resolves when the condition holds of what has come; rejects after a generous while. */
  until(what: string, holds: (arrivals: readonly Arrival[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

const PATIENCE_MS = 150_000;
const AWAY_MS = 1500;

export async function startReceiver(
  certificate: { readonly key: string; readonly cert: string },
  isGenuine: IsGenuine,
): Promise<Receiver> {
  const arrivals: Arrival[] = [];
  const moods: Mood[] = [];
  const waiting = new Set<() => void>();
  const pending = new Set<NodeJS.Timeout>();
  let server: Server | undefined;
  let port = 0;
  let away: Promise<void> = Promise.resolve();
  const sockets = new Set<Duplex>();
  const later = (ms: number, act: () => void) => {
    const timer = setTimeout(() => {
      pending.delete(timer);
      act();
    }, ms);
    pending.add(timer);
  };
  const answer: Readonly<Record<Mood, (response: ServerResponse) => void>> = {
    take: (response) => void response.writeHead(204).end(),
    fail: (response) => void response.writeHead(500).end("no"),
    hang: () => undefined,
    redirect: (response) => void response.writeHead(302, { location: receiver.url }).end(),
    late: (response) => later(11_000, () => response.writeHead(200).end()),
    reset: (response) => void response.destroy(),
    restart: (response) => {
      response.destroy();
      away = stop()
        .then(() => new Promise<void>((back) => later(AWAY_MS, back)))
        .then(listen);
    },
  };
  const listen = async (): Promise<void> => {
    server = createServer(certificate, (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = Buffer.concat(chunks);
        const signatures = String(request.headers["webhook-signature"]).split(" ").length;
        const mood = moods.shift() ?? "take";
        const genuine = isGenuine(request.headers, body, receiver.secret);
        arrivals.push({ event: JSON.parse(body.toString("utf8")) as Event, genuine, signatures, mood });
        answer[mood](response);
        for (const look of waiting) look();
      });
    });
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  };
  const stop = async (): Promise<void> => {
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
    server = undefined;
  };
  const receiver: Receiver = {
    get url() {
      return `https://localhost:${port}/sallyport`;
    },
    arrivals,
    moods,
    secret: "",
    until(what, holds) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const late = setTimeout(
        () => reject(new Error(`waited in vain for ${what}; came: ${shown(arrivals)}`)),
        PATIENCE_MS,
      );
      const look = () => void (holds(arrivals) && resolve());
      waiting.add(look);
      look();
      return promise.finally(() => {
        clearTimeout(late);
        waiting.delete(look);
      });
    },
    async close() {
      for (const timer of pending) clearTimeout(timer);
      await Promise.race([away, Promise.resolve()]);
      await stop();
    },
  };
  await listen();
  return receiver;
}

const shown = (arrivals: readonly Arrival[]): string =>
  arrivals.map(({ event, mood }) => `${event.id} (${mood})`).join(", ") || "nothing";
