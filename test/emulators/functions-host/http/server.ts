import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { HostFunction } from "../functions.ts";
import type { Invoker } from "../invoke.ts";
import { describeError, writeLog } from "../log.ts";
import { answerAdmin, empty } from "./admin.ts";
import { MAX_REQUEST_BYTES, readBody } from "./body.ts";
import { type HostKeys, isAllowed, presentedKey } from "./keys.ts";
import type { Router } from "./router.ts";
import { fromRpcHttp, type HttpAnswer, toRpcHttp } from "./rpc-http.ts";

/** Azure's load balancer gives up on an answer after this time, with 502. Source: "Azure Functions HTTP trigger", limits. */
const ANSWER_LIMIT_MS = 230_000;

export type HttpApp = { router: Router; functions: readonly HostFunction[]; invoker: Invoker; keys: HostKeys };

export type HttpFrontOptions = {
  tls: { key: string; cert: string };
  /** 0 for any free port. */
  port: number;
  answerLimitMs?: number;
  maxRequestBytes?: number;
};

export type HttpFront = {
  readonly url: string;
  /** Starts answering for an app; before that every request gets 503. */
  serve(app: HttpApp): void;
  /** Stops accepting connections and requests on idle ones; running requests go on. */
  stopAccepting(): void;
  /** Ends every connection. */
  close(): Promise<void>;
};

/** Opens the host's HTTPS endpoint on 127.0.0.1. Rejects when the port is taken or the certificate is bad. */
export async function openHttpFront(options: HttpFrontOptions): Promise<HttpFront> {
  const { answerLimitMs = ANSWER_LIMIT_MS, maxRequestBytes = MAX_REQUEST_BYTES } = options;
  let app: HttpApp | undefined;
  const server = createServer(options.tls, (request, response) => {
    const answered = app === undefined ? Promise.resolve(empty(503)) : answer(request, app, { url, maxRequestBytes });
    void withinLimit(answered, answerLimitMs).then((result) => send(request, response, result));
  });
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening");
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const closed = once(server, "close");
  return {
    url,
    serve: (served) => {
      app = served;
    },
    stopAccepting: () => {
      server.close();
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Surroundings = { url: string; maxRequestBytes: number };

async function answer(request: IncomingMessage, app: HttpApp, surroundings: Surroundings): Promise<HttpAnswer> {
  try {
    const method = (request.method ?? "GET").toUpperCase();
    const url = new URL(request.url ?? "/", originOf(request, surroundings.url));
    const header = request.headers["x-functions-key"];
    const key = presentedKey(typeof header === "string" ? header : undefined, url);
    if (/^\/admin(\/|$)/i.test(url.pathname)) {
      if (!isAllowed("admin", key, app.keys)) return empty(401);
      const body = await readBody(request, surroundings.maxRequestBytes);
      if ("refused" in body) return empty(body.refused);
      const run: Parameters<typeof answerAdmin>[3]["run"] = (fn, input) => {
        // The caller got 202 and is gone; a failure is in the log.
        app.invoker.invoke(fn.registered, input).catch(() => undefined);
      };
      return answerAdmin(method, url.pathname, body.bytes, { url: surroundings.url, functions: app.functions, run });
    }
    const found = app.router(method, url.pathname);
    if (found === undefined) return empty(404);
    if (!isAllowed(found.fn.authLevel, key, app.keys)) return empty(401);
    const body = await readBody(request, surroundings.maxRequestBytes);
    if ("refused" in body) return empty(body.refused);
    const { params, fn } = found;
    const http = toRpcHttp({ method, url: url.href, rawHeaders: request.rawHeaders, params, body: body.bytes });
    const input = { inputData: [{ name: fn.triggerName, data: { http } }], triggerMetadata: {} };
    const output = await app.invoker.invoke(fn.registered, input);
    return fromRpcHttp(output.returnValue?.http);
  } catch (error) {
    writeLog("debug", "Host.Http", `${request.method ?? ""} answered 500: ${describeError(error)}`);
    return empty(500);
  }
}

/** The origin the client used, so that a request's URL is the one it was sent to. */
function originOf(request: IncomingMessage, ownUrl: string): string {
  const candidate = `https://${request.headers.host ?? ""}`;
  return URL.canParse(candidate) ? candidate : ownUrl;
}

async function withinLimit(answered: Promise<HttpAnswer>, limitMs: number): Promise<HttpAnswer> {
  const { promise: tooLate, resolve } = Promise.withResolvers<HttpAnswer>();
  const timer = setTimeout(() => resolve(empty(502)), limitMs);
  try {
    return await Promise.race([answered, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function send(request: IncomingMessage, response: ServerResponse, answer: HttpAnswer): void {
  if (response.destroyed) return;
  try {
    for (const [name, value] of answer.headers) response.appendHeader(name, value);
    if (answer.status !== 204 && answer.status !== 304) response.setHeader("content-length", answer.body.length);
    // An unread body would be taken for the next request on this connection.
    if (!request.complete) response.setHeader("connection", "close");
    response.writeHead(answer.status);
    response.end(answer.body);
  } catch (error) {
    // A status or header that Node refuses: the client gets what an unhandled error gets.
    writeLog("error", "Host.Http", describeError(error));
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.writeHead(500).end();
  }
}
