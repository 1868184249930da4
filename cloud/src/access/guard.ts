/**
 * What every HTTP function goes through: who calls, how often, whether they may, a body that fits its schema, and a record
 * of what they change. The functions state `authLevel: "anonymous"`, because this check is the only one.
 */
import type { HttpHandler, HttpRequest } from "@azure/functions";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import type { z } from "zod";
import type { Page, PageRequest } from "../store/keyed.ts";
import { answering, type ByteReply, type Reply, reply } from "./answer.ts";
import { type AuditDeps, audited } from "./audit.ts";
import { type AuthenticationDeps, authenticate } from "./authenticate.ts";
import { parse, parseBody, readBytes } from "./body.ts";
import { linkTo, pageOf } from "./paging.ts";
import { authorize, type Principal, permits, type Resource, requirePermitted } from "./principal.ts";
import type { Rates } from "./rates.ts";
import { once, type RepeatDeps } from "./repeats.ts";
import type { Places } from "./resources.ts";
import type { GuardedRoute } from "./routes/route.ts";

export interface GuardDeps extends Omit<AuditDeps, "store">, Omit<RepeatDeps, "store"> {
  readonly store: AuditDeps["store"] & RepeatDeps["store"];
  readonly authentication: AuthenticationDeps;
  readonly rates: Rates;
  readonly places: Places;
}

export interface Call {
  readonly principal: Principal;
  /** The tenant of the address; the caller was checked for it. */
  readonly tenant: string;
  /** The header `If-Match`. */
  readonly ifMatch: string | null;
  /** With the header `Idempotency-Key`: an id, the same for all calls under it. */
  readonly repeat: string | null;
  /** Which page of a list is wanted; `items` unless the call says how many. @throws api.invalid */
  page(items?: number): PageRequest;
  /** A part of the address; a name unless another schema is given. @throws api.not_found for what cannot be one */
  param(name: string, schema?: z.ZodType<string>): string;
  /** The body, by the schema that the route's row has. */
  body<T extends z.ZodType>(schema: T): z.infer<T>;
  /** For routes about what the body names. @throws api.restricted */
  require(resource: Resource): Promise<void>;
  /** For lists: whether the caller may see it. */
  sees(resource: Resource): boolean;
}

export type Handler = (call: Call) => Promise<unknown>;
/** What a handler answers beside a value: with a status or headers of its own, or a page of a list. */
const REPLY = Symbol("reply");
const PAGE = Symbol("page");
const BYTES = Symbol("bytes");

export const replied = (answer: Reply): object => ({ [REPLY]: answer });
/** A part of a file (RFC 9110 section 15.3.7); for routes that answer nothing that is kept for repeats. */
export const repliedBytes = (body: Uint8Array, headers: Readonly<Record<string, string>>): object => ({
  [BYTES]: { status: 206, headers: { "cache-control": "no-store", ...headers }, body },
});
/** A page of what the caller may see; more of it by the `Link` header. */
export const paged = <T>(page: Page<unknown>, items: readonly T[]): object => ({ [PAGE]: { page, items } });
export const tagged = (value: unknown, tag: string): object => replied(reply(value, { headers: { etag: tag } }));

/** A handler for callers with an API key or a token. `name` is the route's. */
export function guarded(
  deps: () => Promise<GuardDeps>,
  name: string,
  route: GuardedRoute,
  handler: Handler,
): HttpHandler {
  return (request, context) =>
    answering(context, async () => {
      const guard = await deps();
      const principal = await authenticate(guard.authentication, request.headers.get("authorization"));
      guard.rates.count(principal.caller);
      const tenant = await tenantOf(route, request, principal);
      if (principal.only !== null) await restrict(guard, route, request, principal, tenant);
      const bytes = route.method === "GET" ? Buffer.alloc(0) : await readBytes(request);
      const body = route.body === undefined ? undefined : parseBody(bytes, route.body);
      const call = callOf({ guard, route, request, principal, tenant: tenant ?? "", body });
      const answer = async (repeat: string | null) => toReply(await handler({ ...call, repeat }), request);
      if (route.method === "GET") return answer(null);
      const on = namesIn(request, body);
      const change = (repeat: string | null) =>
        audited(guard, { tenant, who: principal.caller, what: name, on }, () => answer(repeat));
      const key = request.headers.get("idempotency-key");
      if (key === null) return change(null);
      const what = `${route.method} ${new URL(request.url).pathname} ${call.ifMatch ?? ""}`;
      return once(guard, { caller: principal.caller, key, what, body: bytes, secret: route.secret === true }, change);
    });
}

/** A handler without an API key: agents sign what they send; health and the description are public. */
export function open(handler: (request: HttpRequest) => Promise<unknown>): HttpHandler {
  return (request, context) =>
    answering(context, async () => {
      const value = await handler(request);
      const isPart = typeof value === "object" && value !== null && BYTES in value;
      return isPart ? (value[BYTES] as ByteReply) : toReply(value, request);
    });
}

/** The caller was checked for it before anything of it is looked up. @throws api.invalid, api.forbidden */
async function tenantOf(route: GuardedRoute, request: HttpRequest, principal: Principal): Promise<string | null> {
  const named = request.params.tenant;
  const tenant = named === undefined ? null : parse(nameId, named, "tenant");
  authorize(principal, route.scope, tenant);
  return tenant;
}

/** Holds a restricted key against what the address names. @throws api.restricted */
async function restrict(
  { places }: GuardDeps,
  { about }: GuardedRoute,
  { params }: HttpRequest,
  principal: Principal,
  tenant: string | null,
): Promise<void> {
  if (about === "body" || about === "list") return; // its handler asks
  const isNamed = about !== "platform" && about !== "tenant" && tenant !== null;
  const all = isNamed ? await places.of(tenant, about, params[about] ?? "") : [{}];
  for (const resource of all) requirePermitted(principal, resource);
}

interface Opened {
  readonly guard: GuardDeps;
  readonly route: GuardedRoute;
  readonly request: HttpRequest;
  readonly principal: Principal;
  readonly tenant: string;
  readonly body: unknown;
}

function callOf({ guard, route, request, principal, tenant, body }: Opened): Omit<Call, "repeat"> {
  return {
    principal,
    tenant,
    ifMatch: request.headers.get("if-match"),
    page: (items) => pageOf(request.query, items),
    param: (name, schema = nameId) => {
      const parsed = schema.safeParse(request.params[name]);
      if (!parsed.success) throw new SallyportError("api.not_found", `There is no such ${name}.`);
      return parsed.data;
    },
    body: <T extends z.ZodType>(schema: T) => {
      if (schema !== (route.body as unknown)) throw new Error("the route's row has another body");
      return body as z.infer<T>;
    },
    require: async (resource) => {
      if (principal.only === null) return;
      requirePermitted(principal, await guard.places.complete(tenant, resource));
    },
    sees: (resource) => permits(principal.only, resource),
  };
}

function toReply(value: unknown, request: HttpRequest): Reply {
  if (typeof value !== "object" || value === null) return reply(value);
  if (REPLY in value) return value[REPLY] as Reply;
  if (!(PAGE in value)) return reply(value);
  const { page, items } = value[PAGE] as { page: Page<unknown>; items: readonly unknown[] };
  if (page.next === undefined) return reply(items);
  return reply(items, { headers: { link: linkTo(new URL(request.url), page.next) } });
}

/** Ids and switches in a body that an audit record names; nothing else of a body is written down. */
const SHOWN = [
  "id",
  "site",
  "connection",
  "kind",
  "autoApprove",
  "revision",
  "confirm",
  "deleteResults",
  "overlapSeconds",
];

function namesIn({ params }: HttpRequest, body: unknown): Record<string, string> {
  const { tenant: _tenant, ...parts } = params;
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const shown = SHOWN.flatMap((name) => {
    const value = fields[name];
    const isPlain = ["string", "number", "boolean"].includes(typeof value);
    return isPlain ? [[name, String(value).slice(0, 128)] as const] : [];
  });
  return {
    ...Object.fromEntries(shown),
    ...Object.fromEntries(Object.entries(parts).map(([k, v]) => [k, v.slice(0, 128)])),
  };
}
