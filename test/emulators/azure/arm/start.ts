/**
 * Azure Resource Manager on loopback: what the orchestrator and the deployment's hooks call. Resources live in memory; hybrid
 * connections are the relay's own, which is told of each. Source: https://learn.microsoft.com/azure/azure-resource-manager/management
 */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { type Answer, Refusal, refusal } from "../errors.ts";
import { type Request, type Service, startService } from "../https.ts";
import { authenticator, type Caller, type Issuer } from "../tokens.ts";
import { type Operations, operations } from "./operations.ts";

export interface ArmOptions {
  readonly tls: { readonly key: string; readonly cert: string };
  /** Rights are actions: `Microsoft.Relay/namespaces/hybridConnections/write`. */
  readonly issuer: Issuer;
  /** The relay behind the namespaces. */
  readonly relay?: RelayEntities;
  /** How often a long-running operation answers that it is still running. */
  readonly pendingPolls?: number;
}

export interface RelayEntities {
  put(entity: { path: string; requiresClientAuthorization: boolean }): void;
  remove(path: string): boolean;
}

export interface Arm extends Service {
  /** Paths of what is there, sorted. */
  resources(): readonly string[];
}

const RESOURCES = ["https://management.azure.com", "https://management.core.windows.net"];
const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** The oldest and newest form of a version: a date, perhaps a preview. */
const API_VERSION = /^20\d\d-\d\d-\d\d(-preview)?$/;

interface Kind {
  /** The type, and so the action without its verb. */
  readonly type: string;
  readonly path: RegExp;
  readonly body: z.ZodType;
  /** Made and deleted by a long-running operation. */
  readonly slow?: true;
}

const NAMESPACE = "/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Relay/namespaces/[^/]+";
const KINDS: readonly Kind[] = [
  {
    type: "Microsoft.Relay/namespaces/hybridConnections",
    path: new RegExp(`^${NAMESPACE}/hybridConnections/([^/]{1,260})$`, "i"),
    body: z.object({ properties: z.object({ requiresClientAuthorization: z.boolean().default(true) }) }),
  },
  {
    type: "Microsoft.Relay/namespaces",
    path: new RegExp(`^${NAMESPACE}$`, "i"),
    body: z.object({ location: z.string().min(1) }),
    slow: true,
  },
  {
    type: "Microsoft.Authorization/roleAssignments",
    path: /^\/subscriptions\/.+\/providers\/Microsoft\.Authorization\/roleAssignments\/([^/]+)$/i,
    body: z.object({ properties: z.object({ roleDefinitionId: z.string(), principalId: z.string() }) }),
  },
];

export async function startArm({ tls, issuer, relay, pendingPolls = 1 }: ArmOptions): Promise<Arm> {
  const authenticate = await authenticator(issuer, RESOURCES);
  const kept = new Map<string, unknown>();
  const providers = new Map<string, "Registering" | "Registered">();
  const running = operations(pendingPolls);
  const service = await startService({
    tls,
    maxBodyBytes: MAX_BODY_BYTES,
    answer: async (request, { url: base }) => {
      const caller = await authenticate(request.headers.authorization);
      if (caller === undefined) throw unauthenticated(request.headers.authorization !== undefined);
      const version = request.url.searchParams.get("api-version");
      if (version === null)
        throw refusal(
          400,
          "MissingApiVersionParameter",
          "The api-version query parameter (?api-version=) is required.",
        );
      if (!API_VERSION.test(version))
        throw refusal(400, "InvalidApiVersionParameter", `The api-version '${version}' is invalid.`);
      const state = { kept, providers, running, relay, base };
      return (
        answerProvider(state, request, caller) ??
        answerOperation(state, request) ??
        answerResource(state, request, caller)
      );
    },
  });
  return { ...service, resources: () => [...kept.keys()].sort() };
}

interface State {
  readonly kept: Map<string, unknown>;
  readonly providers: Map<string, "Registering" | "Registered">;
  readonly running: Operations;
  readonly relay: RelayEntities | undefined;
  readonly base: string;
}

/** `GET …/providers/NAME`, `POST …/providers/NAME/register`: registering takes a while, which its state tells. */
function answerProvider({ providers }: State, { method, url }: Request, caller: Caller): Answer | undefined {
  const [, name, register] = /^\/subscriptions\/[^/]+\/providers\/([\w.]+)(\/register)?$/i.exec(url.pathname) ?? [];
  if (name === undefined) return undefined;
  const state = providers.get(name) ?? "NotRegistered";
  if (method === "POST" && register !== undefined) {
    requireAction(caller, `${name}/register/action`);
    providers.set(name, "Registering");
    return { status: 200, body: { namespace: name, registrationState: "Registering" } };
  }
  if (method !== "GET" || register !== undefined)
    throw refusal(405, "MethodNotAllowed", `${method} is not known here.`);
  // The next look finds it done.
  if (state === "Registering") providers.set(name, "Registered");
  return { status: 200, body: { namespace: name, registrationState: state } };
}

function answerOperation({ running }: State, { method, url }: Request): Answer | undefined {
  const id = /^\/subscriptions\/[^/]+\/operations\/([^/]+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return undefined;
  if (method !== "GET") throw refusal(405, "MethodNotAllowed", `${method} is not known here.`);
  const status = running.look(id);
  if (status === undefined) throw refusal(404, "NotFound", "There is no such operation.");
  return { status: 200, body: { id: url.pathname, status }, headers: { "retry-after": "0" } };
}

function answerResource(state: State, request: Request, caller: Caller): Answer {
  const { method, url, body } = request;
  const kind = KINDS.find(({ path }) => path.test(url.pathname));
  if (kind === undefined) throw refusal(404, "InvalidResourceType", "The resource type is not known here.");
  const verb = { GET: "read", PUT: "write", DELETE: "delete" }[method];
  if (verb === undefined) throw refusal(405, "MethodNotAllowed", `${method} is not known here.`);
  requireAction(caller, `${kind.type}/${verb}`);
  const key = url.pathname;
  if (method === "GET") {
    if (!state.kept.has(key)) throw notFound(key);
    return { status: 200, body: state.kept.get(key) };
  }
  if (method === "DELETE") return remove(state, kind, key, request);
  const given = kind.body.safeParse(body ?? {});
  if (!given.success) throw refusal(400, "BadRequest", z.prettifyError(given.error));
  const known = state.kept.has(key);
  if (known && kind.type === "Microsoft.Authorization/roleAssignments")
    throw refusal(409, "RoleAssignmentExists", "The role assignment already exists.");
  const made = {
    id: key,
    name: decodeURIComponent(key.slice(key.lastIndexOf("/") + 1)),
    type: kind.type,
    ...(given.data as object),
  };
  state.kept.set(key, made);
  tellRelay(state, kind, key, given.data);
  // A hybrid connection's answer is 200 also where there was none.
  const isPlain = known || kind.type.endsWith("hybridConnections");
  if (kind.slow === undefined) return { status: isPlain ? 200 : 201, body: made };
  return { status: 201, body: made, headers: begin(state, request) };
}

function remove(state: State, kind: Kind, key: string, request: Request): Answer {
  // What the relay was given by other means is deleted by name, too.
  const path = kind.path.exec(key)?.[1];
  const removed =
    kind.type.endsWith("hybridConnections") && state.relay?.remove(decodeURIComponent(path ?? "")) === true;
  if (!state.kept.delete(key) && !removed) return { status: 204 };
  return kind.slow === undefined ? { status: 200 } : { status: 202, headers: begin(state, request) };
}

function tellRelay({ relay }: State, { type, path }: Kind, key: string, given: unknown): void {
  const name = path.exec(key)?.[1];
  if (!type.endsWith("hybridConnections") || name === undefined) return;
  const { properties } = given as { properties: { requiresClientAuthorization: boolean } };
  relay?.put({ path: decodeURIComponent(name), ...properties });
}

/** The headers by which a client follows what goes on. */
function begin({ running, base }: State, { url }: Request): Record<string, string> {
  const [, , subscription = ""] = url.pathname.split("/");
  const address = `${base}/subscriptions/${subscription}/operations/${running.begin(randomUUID())}?api-version=2024-01-01`;
  return { "azure-asyncoperation": address, location: address, "retry-after": "0" };
}

function requireAction(caller: Caller, action: string): void {
  if (caller.may(action)) return;
  throw refusal(
    403,
    "AuthorizationFailed",
    `The client '${caller.principal}' does not have authorization to perform action '${action}' or the scope is invalid.`,
  );
}

const notFound = (path: string): Refusal => refusal(404, "ResourceNotFound", `The resource '${path}' was not found.`);

const unauthenticated = (given: boolean): Refusal =>
  new Refusal({
    status: 401,
    headers: { "www-authenticate": 'Bearer authorization_uri="https://login.windows.net/", error="invalid_token"' },
    body: {
      error: given
        ? { code: "InvalidAuthenticationToken", message: "The access token is invalid." }
        : { code: "AuthenticationFailed", message: "Authentication failed. The 'Authorization' header is missing." },
    },
  });
