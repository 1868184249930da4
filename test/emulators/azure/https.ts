/** One HTTPS server on loopback that answers JSON, with a list of what it was asked and faults for the next calls. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Answer, Refusal } from "./errors.ts";

export interface Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  /** Parsed JSON; undefined without one. */
  readonly body: unknown;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface Service {
  /** `https://localhost:PORT` */
  readonly url: string;
  /** Every call that was answered, oldest first. */
  readonly asked: readonly Asked[];
  /** The next calls whose path fits are answered so instead, as many as `times`; each with this `Retry-After`. */
  refuseNext(fault: Fault): void;
  close(): Promise<void>;
}

export interface Fault {
  readonly path: RegExp;
  readonly status: number;
  readonly code?: string;
  readonly times?: number;
  readonly retryAfterSeconds?: number;
}

export interface ServiceOptions {
  readonly tls: { readonly key: string; readonly cert: string };
  readonly maxBodyBytes: number;
  answer(request: Request, service: Pick<Service, "url">): Promise<Answer>;
}

export async function startService({ tls, maxBodyBytes, answer }: ServiceOptions): Promise<Service> {
  const asked: Asked[] = [];
  const faults: { fault: Fault; left: number }[] = [];
  const server = createServer({ ...tls, minVersion: "TLSv1.2" }, (incoming, outgoing) => {
    void respond(incoming).then(({ status, body, headers }) => {
      const { pathname } = new URL(incoming.url ?? "/", service.url);
      asked.push({ method: incoming.method ?? "", path: pathname, status });
      const text = body === undefined ? "" : JSON.stringify(body);
      outgoing
        .writeHead(status, {
          "content-type": "application/json; charset=utf-8",
          "content-length": String(Buffer.byteLength(text)),
          "x-ms-request-id": randomUUID(),
          ...headers,
        })
        .end(text);
    });
  });

  async function respond(incoming: IncomingMessage): Promise<Answer> {
    try {
      const url = new URL(incoming.url ?? "/", service.url);
      const body = await readJson(incoming, maxBodyBytes);
      const planned = faults.find(({ fault, left }) => left > 0 && fault.path.test(url.pathname));
      if (planned !== undefined) return played(planned);
      return await answer({ method: incoming.method ?? "GET", url, headers: incoming.headers, body }, service);
    } catch (thrown) {
      if (thrown instanceof Refusal) return thrown.answer;
      return { status: 500, body: { error: { code: "InternalServerError", message: String(thrown) } } };
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const service: Service = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    asked,
    refuseNext: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return service;
}

function played(planned: { fault: Fault; left: number }): Answer {
  planned.left -= 1;
  const { status, code = "Throttled", retryAfterSeconds } = planned.fault;
  const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return { status, body: { error: { code, message: "The request was not processed." } }, headers };
}

async function readJson(incoming: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
  }
  const tooLarge = {
    status: 413,
    body: { error: { code: "RequestEntityTooLarge", message: "The body is too large." } },
  };
  if (bytes > maxBytes) throw new Refusal(tooLarge);
  const text = Buffer.concat(chunks).toString("utf8");
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal({ status: 400, body: { error: { code: "BadParameter", message: "The body is no JSON." } } });
  }
}
