import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { authorize } from "./authorize.ts";
import { headersAsSent } from "./connect.ts";
import { chooseListener, type Listener } from "./control.ts";
import type { RelayCore } from "./core.ts";
import { LIMITS } from "./options.ts";
import { parseTarget, type Target } from "./paths.ts";
import { connectionId } from "./rendezvous.ts";
import { type HttpResponse, type Responder, respondOver } from "./responder.ts";
import { closeReason, track } from "./tracking.ts";

/** HTTP mode: requests to `https://NAMESPACE/PATH` travel to a listener over its control channel, or over a rendezvous when they are large. */

/** What concerns only one hop (RFC 7230) and is therefore not passed on, in either direction. */
const HOP_HEADERS = ["connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade", "close"];

type Channel = { readonly webSocket: WebSocket; readonly responder: Responder };

/** A listener that answered over a rendezvous keeps it for the sender's later requests on the same connection. */
const keptChannels = new WeakMap<Duplex, Channel>();

export async function relayRequest(core: RelayCore, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = parseTarget(request.url ?? "/");
  const fail = (status: number, code: string, message: string) => failWith(response, status, code, message);
  if (!target) return fail(400, "BadRequest", "The address is malformed");
  const path = target.segments;
  const entity = core.entities.serving(path);
  const { token, stripped } = findToken(request, target, entity?.requiresClientAuthorization !== false);
  if (entity?.requiresClientAuthorization !== false) {
    const verdict = await authorize(core.settings, token, "Send", path, entity);
    if (!verdict.allowed) return fail(verdict.status, "TokenMissingOrInvalid", verdict.reason);
  }
  if (!entity) return fail(404, "EndpointNotFound", "Endpoint does not exist");
  const listener = chooseListener(entity);
  if (!listener) return fail(502, "BadGateway", "There are no listeners connected for the endpoint");
  const body = await readBody(request, core.settings.maxMessageBytes);
  if (!body) return fail(413, "RequestTooLarge", "The request's body is too large for this relay");
  core.counted.requestsTotal += 1;
  const answer = await ask(core, { request, response, target, path, body, listener, stripped });
  if (answer) passOn(core, response, answer);
  else
    fail(
      504,
      "GatewayTimeout",
      "The request was routed to the listener but the listener did not respond in the required time",
    );
}

/** The order of the documentation: query, own header, and `Authorization` only when neither is there and the relay asks for a token. */
function findToken(request: IncomingMessage, target: Target, isAsked: boolean) {
  const own = request.headers.servicebusauthorization;
  const inQuery = target.service.get("sb-hc-token");
  const stripped = ["servicebusauthorization"];
  if (inQuery !== undefined || own !== undefined) return { token: typeof own === "string" ? own : inQuery, stripped };
  if (isAsked) stripped.push("authorization");
  return { token: request.headers.authorization?.replace(/^Bearer /i, ""), stripped };
}

/** The whole body, or undefined when it is larger than the limit. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

type Asked = {
  request: IncomingMessage;
  response: ServerResponse;
  target: Target;
  path: readonly string[];
  body: Buffer;
  listener: Listener;
  stripped: readonly string[];
};

/** Delivers a request and waits for its answer; undefined when none came in time. */
async function ask(core: RelayCore, asked: Asked): Promise<HttpResponse | undefined> {
  const { request, response, target, path, body, listener, stripped } = asked;
  const { promise, resolve } = Promise.withResolvers<HttpResponse | undefined>();
  const id = connectionId(target);
  const socket = request.socket;
  const full = {
    id,
    requestTarget: target.rawQuery === "" ? target.rawPath : `${target.rawPath}?${target.rawQuery}`,
    method: request.method,
    requestHeaders: { ...headersAsSent(request, [...HOP_HEADERS, ...stripped]), Via: via(core, request.headers.via) },
    body: body.length > 0,
  };
  const deliver = (webSocket: WebSocket, message: object) => {
    webSocket.send(JSON.stringify({ request: message }));
    if (body.length > 0) webSocket.send(body, { binary: true });
  };
  const timer = setTimeout(() => resolve(undefined), core.settings.timings.requestMs);
  response.once("close", () => resolve(undefined)); // the sender has gone, or the answer is out
  const kept = keptChannels.get(socket);
  const direct = JSON.stringify(full).length + body.length <= LIMITS.controlBodyBytes;
  const appointment = core.rendezvous.arrange(core.rendezvousOrigin(), {
    action: "request",
    target,
    path,
    id,
    validMs: core.settings.timings.requestMs,
    accepted(handshake) {
      const webSocket = core.upgrades.complete(handshake, "data");
      if (!webSocket) return resolve(undefined);
      const channel = { webSocket, responder: respondOver(webSocket) };
      channel.responder.expect(id, resolve);
      keepFor(socket, channel);
      if (!direct) deliver(webSocket, full);
    },
    rejected: () => resolve(undefined),
    expired: () => resolve(undefined),
  });
  (kept?.responder ?? listener.responder).expect(id, resolve);
  if (kept) deliver(kept.webSocket, full);
  else if (direct) deliver(listener.webSocket, { address: appointment.address, ...full });
  else listener.send({ request: { address: appointment.address } });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    appointment.cancel();
    listener.responder.forget(id);
  }
}

function keepFor(socket: Duplex, channel: Channel): void {
  keptChannels.set(socket, channel);
  socket.once("close", () => channel.webSocket.close(1001, closeReason("The sender has shut down the connection")));
  channel.webSocket.once("close", () => socket.destroy());
}

function via(core: RelayCore, before: string | undefined): string {
  const own = `1.1 ${core.settings.namespace}`;
  return before ? `${before}, ${own}` : own;
}

function passOn(core: RelayCore, response: ServerResponse, answer: HttpResponse): void {
  const headers = Object.entries(answer.headers).filter(([name]) => !HOP_HEADERS.includes(name.toLowerCase()));
  try {
    for (const [name, value] of headers) response.setHeader(name, value);
    response.setHeader("Via", via(core, answer.headers.Via));
    response.statusCode = answer.statusCode;
    if (answer.statusDescription) response.statusMessage = answer.statusDescription;
    response.end(answer.body);
  } catch {
    // A header or a status description that HTTP cannot carry.
    response.removeHeader("Via");
    response.statusMessage = "";
    failWith(response, 502, "BadGateway", "The listener's response is not valid");
  }
}

/** The service's own errors have no `Via` header; that is how a sender tells them from the listener's. */
function failWith(response: ServerResponse, status: number, code: string, message: string): void {
  const { text } = track(message, "relay");
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8" });
  response.end(JSON.stringify({ error: { code, message: text } }));
}
