/**
 * The API's description (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.1), made from the table of routes and their
 * schemas, so that it says what the functions check. The same table gives the same bytes.
 */
import { problem } from "@sallyport/shared/schema/api.ts";
import { nameId, randomId, runId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { MOST_PAGE_ITEMS } from "./paging.ts";
import type { GuardedRoute, Route } from "./routes/route.ts";
import { ROUTES } from "./routes/table.ts";

type Json = Readonly<Record<string, unknown>>;

const VERSION = "1.0.0";
const TAGS: Readonly<Record<string, string>> = {
  agent: "What agents call; each signs its calls with its identity key.",
  tenants: "Customers' organisations, their quotas, export and end.",
  sites: "Places of a tenant, with codes to enrol agents there.",
  agents: "Enrolled installations at a site.",
  connections: "Systems that a site's policy names, and their credentials.",
  pulls: "Stored definitions of what is read, when, and where to.",
  runs: "Executions of pulls, and their results.",
  requests: "Single operations by hand.",
  webhooks: "Receivers of signed events.",
  events: "What was told of a tenant.",
  keys: "API keys.",
  releases: "Releases of the agent, and how far they have gone.",
  audit: "Who changed what, and when.",
  schedule: "What timers do, by hand.",
  service: "The orchestrator itself.",
};
/** Ids in addresses that are no names that people choose. */
const IDS: Readonly<Record<string, z.ZodType>> = { agent: randomId, request: randomId, run: runId, letter: z.string() };

/** The tag of a route, by the first word of its name or what that belongs to. */
function tagFor(name: string): string {
  const [first = ""] = name.split("-");
  const word = { codes: "sites", credentials: "connections", dead: "webhooks" }[first] ?? first;
  return Object.hasOwn(TAGS, word) ? word : "service";
}

const pascal = (name: string): string =>
  name.replace(/(?:^|[-_])([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** The whole description. */
export function describeApi(): Json {
  const shapes = collect();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, route] of Object.entries(ROUTES)) {
    const path = `/${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(name, route, shapes) };
  }
  const used = new Set(Object.keys(ROUTES).map(tagFor));
  return {
    openapi: "3.1.1",
    info: {
      title: "Sallyport",
      version: VERSION,
      description: "Pulls data from systems behind firewalls; docs/api.md explains it.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api", description: "The function app that serves this description." }],
    tags: Object.entries(TAGS)
      .filter(([name]) => used.has(name))
      .map(([name, description]) => ({ name, description })),
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key `sp_…`, or a token of the identity provider." },
        agent: { type: "http", scheme: "bearer", bearerFormat: "JWS", description: "Signed by the agent's identity." },
      },
      headers: {
        ETag: { description: "What `If-Match` takes.", schema: { type: "string" } },
        Link: { description: 'The next page, as `<…>; rel="next"` (RFC 8288).', schema: { type: "string" } },
        Location: { description: "Where the answer will be.", schema: { type: "string" } },
        "Retry-After": { description: "Seconds to wait.", schema: { type: "integer" } },
      },
      parameters: PARAMETERS,
      responses: {
        Problem: {
          description: "A refusal as problem details (RFC 9457), with a stable `code` (docs/errors.md).",
          content: { "application/problem+json": { schema: shapes.refOf(problem, "answer") } },
        },
        TooMany: {
          description: "This caller calls too often.",
          headers: { "Retry-After": { $ref: "#/components/headers/Retry-After" } },
          content: { "application/problem+json": { schema: shapes.refOf(problem, "answer") } },
        },
      },
      schemas: shapes.all,
    },
  };
}

const PARAMETERS = {
  limit: {
    ...{ name: "limit", in: "query", description: "Items of a page." },
    schema: { type: "integer", minimum: 1, maximum: MOST_PAGE_ITEMS },
  },
  cursor: {
    ...{ name: "cursor", in: "query", description: "From the `Link` of the page before; opaque." },
    schema: { type: "string", maxLength: 1024 },
  },
  ifMatch: {
    ...{ name: "If-Match", in: "header", description: "Changes only what still has this ETag." },
    schema: { type: "string" },
  },
  repeat: {
    ...{ name: "Idempotency-Key", in: "header" },
    description: "A call repeated under its key within a day is answered as the first one was, and does nothing.",
    schema: { type: "string", minLength: 1, maxLength: 200 },
  },
};

function operation(name: string, route: Route, shapes: Shapes): Json {
  const guarded = route.scope === null ? undefined : route;
  const parts = [...route.path.matchAll(/\{([a-z]+)\}/g)].map(([, part]) => part!);
  const parameters = [
    ...parts.map((part) => ({
      ...{ name: part, in: "path", required: true },
      schema: withoutMeta(z.toJSONSchema(IDS[part] ?? nameId)),
    })),
    ...parametersOf(route.method, guarded).map((which) => ({ $ref: `#/components/parameters/${which}` })),
  ];
  return {
    operationId: name,
    summary: route.does.split(/[.:;,]/)[0]!,
    description: guarded === undefined ? route.does : `${route.does} Scope: ${guarded.scope}.`,
    tags: [tagFor(name)],
    ...(guarded === undefined ? { security: /^agent-(token|health)$/.test(name) ? [{ agent: [] }] : [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: bodyOf(route, shapes) }),
    responses: responsesOf(route, guarded, shapes),
  };
}

const parametersOf = (method: string, guarded: GuardedRoute | undefined): (keyof typeof PARAMETERS)[] => [
  ...(guarded?.list ? (["limit", "cursor"] as const) : []),
  ...(guarded?.tag && method !== "GET" ? (["ifMatch"] as const) : []),
  ...(guarded && method !== "GET" ? (["repeat"] as const) : []),
];

function bodyOf({ body, bodyShape = body }: Route, shapes: Shapes): Json {
  const isOptional = body!.safeParse(undefined).success;
  return {
    required: !isOptional,
    content: { "application/json": { schema: shapes.refOf(bodyShape!, "body") } },
  };
}

function responsesOf(route: Route, guarded: GuardedRoute | undefined, shapes: Shapes): Json {
  const headers = [...(guarded?.list ? ["Link"] : []), ...(guarded?.tag && route.method !== "DELETE" ? ["ETag"] : [])];
  const content = { "application/json": { schema: shapes.refOf(route.answer, "answer") } };
  const refs = (names: readonly string[]) =>
    names.length === 0
      ? {}
      : { headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) };
  return {
    "200": { description: "Done.", ...refs(headers), content },
    ...(guarded?.later
      ? { "202": { description: "Still to come.", ...refs(["Location", "Retry-After"]), content } }
      : {}),
    ...(guarded === undefined ? {} : { "429": { $ref: "#/components/responses/TooMany" } }),
    "4XX": { $ref: "#/components/responses/Problem" },
    "5XX": { $ref: "#/components/responses/Problem" },
  };
}

type Use = "body" | "answer";

interface Shapes {
  readonly all: Json;
  refOf(schema: z.ZodType, use: Use): Json;
}

/** Every body and answer of the table as a component, named by the first route that has it. */
function collect(): Shapes {
  const names = { body: new Map<z.ZodType, string>(), answer: new Map<z.ZodType, string>() };
  const note = (schema: z.ZodType | undefined, use: Use, name: string): void => {
    if (schema instanceof z.ZodArray) note(schema.element as z.ZodType, use, `${name}Item`);
    else if (schema !== undefined && !names[use].has(schema)) names[use].set(schema, name);
  };
  note(problem, "answer", "Problem");
  for (const [name, { body, bodyShape = body, answer }] of Object.entries<Route>(ROUTES)) {
    note(bodyShape, "body", `${pascal(name)}Body`);
    note(answer, "answer", `${pascal(name)}Answer`);
  }
  const toSchemas = (use: Use): Json => {
    const registry = z.registry<{ id: string }>();
    for (const [schema, id] of names[use]) registry.add(schema, { id });
    const { schemas } = z.toJSONSchema(registry, {
      io: use === "body" ? "input" : "output",
      unrepresentable: "any",
      uri: (id) => `#/components/schemas/${id}`,
    });
    return named(schemas as Readonly<Record<string, Json>>, use === "body" ? "BodyPart" : "AnswerPart");
  };
  return {
    all: { ...toSchemas("body"), ...toSchemas("answer") },
    refOf: (schema, use) => {
      if (schema instanceof z.ZodArray) {
        const name = names[use].get(schema.element as z.ZodType);
        return { type: "array", items: { $ref: `#/components/schemas/${name}` } };
      }
      return { $ref: `#/components/schemas/${names[use].get(schema)}` };
    },
  };
}

const SHARED = "__shared";

/** What schemas share, or hold themselves, stands apart under names of zod's making: components of their own here. */
function named(schemas: Readonly<Record<string, Json>>, part: string): Json {
  const { [SHARED]: shared = {}, ...own } = schemas;
  const parts = Object.entries((shared.$defs ?? {}) as Record<string, Json>);
  const nameOf = new Map(parts.map(([id], index) => [id, `${part}${index + 1}`]));
  const text = JSON.stringify({ ...own, ...Object.fromEntries(parts.map(([id, schema]) => [nameOf.get(id), schema])) });
  const linked = text.replace(
    /"#\/components\/schemas\/__shared#\/\$defs\/([^"]+)"/g,
    (_, id: string) => `"#/components/schemas/${nameOf.get(id)}"`,
  );
  const all = JSON.parse(linked) as Record<string, Json>;
  return Object.fromEntries(Object.entries(all).map(([id, schema]) => [id, withoutMeta(schema)]));
}

const withoutMeta = ({ $schema: _schema, $id: _id, ...schema }: Json): Json => schema;
