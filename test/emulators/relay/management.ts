import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import type { RelayCore } from "./core.ts";
import type { Entity } from "./entities.ts";

/**
 * The calls of Azure Resource Manager that make and delete hybrid connections, on the relay's own port.
 * Source: https://learn.microsoft.com/rest/api/relay/hybrid-connections
 */

const API_VERSIONS = new Set(["2021-11-01", "2024-01-01"]);
const NAMESPACE =
  /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.Relay\/namespaces\/[^/]+\/(hybridConnections|authorizationRules)(?:\/([^/]+)(?:\/(listKeys))?)?$/i;
const MAX_BODY_BYTES = 64 * 1024;

const entityBody = z.object({
  properties: z
    .object({ requiresClientAuthorization: z.boolean().optional(), userMetadata: z.string().max(1024).optional() })
    .default({}),
});

type Answer = { status: number; body?: object };

/** Whether a request is one for the management plane. */
export function isManagement(url: string): boolean {
  return /^\/subscriptions\//i.test(url);
}

export async function manage(core: RelayCore, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body } = await answer(core, request);
  if (body === undefined) response.writeHead(status).end();
  else response.writeHead(status, { "Content-Type": "application/json; charset=utf-8" }).end(JSON.stringify(body));
}

async function answer(core: RelayCore, request: IncomingMessage): Promise<Answer> {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (!bearer) return failure(401, "AuthenticationFailed", "The request has no bearer token.");
  if (!(await core.settings.managementToken(bearer))) {
    return failure(401, "InvalidAuthenticationToken", "The access token is not valid here.");
  }
  const url = new URL(request.url ?? "/", "https://localhost");
  const version = url.searchParams.get("api-version");
  if (!version)
    return failure(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.");
  if (!API_VERSIONS.has(version)) {
    return failure(
      400,
      "InvalidResourceType",
      `The api-version '${version}' is not one of ${[...API_VERSIONS].join(", ")}.`,
    );
  }
  const [, collection, rawName, action] = NAMESPACE.exec(url.pathname) ?? [];
  if (!collection) return failure(404, "InvalidResourceType", "The resource type is not known here.");
  const name = decodeName(rawName);
  if (rawName !== undefined && !name) return failure(400, "InvalidResourceName", "The resource's name is not valid.");
  const base = url.pathname.split("/").slice(0, 10).join("/");
  if (collection.toLowerCase() === "authorizationrules") return listKeys(core, request.method, name, action);
  if (action) return failure(404, "InvalidResourceType", "The action is not known here.");
  if (name === undefined) return listEntities(core, request.method, base);
  return onEntity(core, request, base, name);
}

/** An entity's slashes arrive escaped, or as tildes, which is how Resource Manager's clients spell them. */
function decodeName(raw: string | undefined): string | undefined {
  if (raw === undefined) return undefined;
  try {
    const name = decodeURIComponent(raw).replaceAll("~", "/");
    return /^[A-Za-z0-9](?:[\w./-]{0,258}[A-Za-z0-9])?$/.test(name) && !/\/[/.]/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

async function onEntity(core: RelayCore, request: IncomingMessage, base: string, name: string): Promise<Answer> {
  switch (request.method) {
    case "GET": {
      const entity = core.entities.get(name);
      return entity ? { status: 200, body: describe(base, entity) } : notFound(name);
    }
    case "PUT": {
      const body = entityBody.safeParse(await readJson(request));
      if (!body.success) return failure(400, "BadRequest", `The body is not valid: ${z.prettifyError(body.error)}`);
      const { entity } = core.entities.put({ path: name, ...body.data.properties });
      return { status: 200, body: describe(base, entity) };
    }
    case "DELETE": {
      return removeEntity(core, name) ? { status: 200 } : { status: 204 };
    }
    default:
      return failure(405, "MethodNotAllowed", `The method ${request.method} is not known here.`);
  }
}

/** Deletes an entity and closes its listeners and sessions with 1001, as the service does. False when there is none. */
export function removeEntity(core: RelayCore, path: string): boolean {
  const entity = core.entities.remove(path);
  if (!entity) return false;
  const reason = "The hybrid connection was deleted";
  for (const listener of entity.listeners) listener.close(1001, reason);
  for (const session of core.sessions) if (session.entity === entity) session.close(1001, reason);
  return true;
}

function listEntities(core: RelayCore, method: string | undefined, base: string): Answer {
  if (method !== "GET") return failure(405, "MethodNotAllowed", `The method ${method} is not known here.`);
  return { status: 200, body: { value: core.entities.all().map((entity) => describe(base, entity)) } };
}

function listKeys(
  core: RelayCore,
  method: string | undefined,
  name: string | undefined,
  action: string | undefined,
): Answer {
  if (method !== "POST" || !action) return failure(405, "MethodNotAllowed", "Only listKeys is known here.");
  const rule = core.settings.namespaceRules.find((candidate) => candidate.name === name);
  if (!rule) return notFound(name ?? "");
  const connection = (key: string) =>
    `Endpoint=sb://${core.settings.namespace}/;SharedAccessKeyName=${rule.name};SharedAccessKey=${key}`;
  const { primaryKey, secondaryKey = primaryKey } = rule;
  return {
    status: 200,
    body: {
      primaryConnectionString: connection(primaryKey),
      secondaryConnectionString: connection(secondaryKey),
      primaryKey,
      secondaryKey,
      keyName: rule.name,
    },
  };
}

function describe(base: string, entity: Entity): object {
  return {
    id: `${base}/${encodeURIComponent(entity.path)}`,
    name: entity.path,
    type: "Microsoft.Relay/namespaces/hybridConnections",
    properties: {
      createdAt: entity.createdAt.toISOString(),
      updatedAt: entity.updatedAt.toISOString(),
      listenerCount: entity.listeners.size,
      requiresClientAuthorization: entity.requiresClientAuthorization,
      ...(entity.userMetadata === undefined ? {} : { userMetadata: entity.userMetadata }),
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString() || "{}");
  } catch {
    return undefined;
  }
}

function notFound(name: string): Answer {
  return failure(404, "ResourceNotFound", `The resource '${name}' was not found.`);
}

/** Resource Manager's error shape. */
function failure(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message } } };
}
