/** Calls of the API with their headers, by whichever key; each answer has to be what the table of routes says. */
import assert from "node:assert/strict";
import type { Route } from "@sallyport/cloud/src/access/routes/route.ts";
import { ROUTES } from "@sallyport/cloud/src/access/routes/table.ts";
import { problem } from "@sallyport/shared/schema/api.ts";
import { call } from "../../stack/https.ts";
import type { Stack } from "../../stack/start.ts";

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body as JSON. */
  readonly json: Record<string, never> & { code?: string; facts?: Record<string, unknown>; [name: string]: unknown };
}

export interface Asked {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Ask = (path: string, asked?: Asked) => Promise<Answered>;

const ADDRESSES = Object.entries<Route>(ROUTES).map(([name, route]) => ({
  name,
  route,
  pattern: new RegExp(`^/api/${route.path.replace(/[.]/g, "\\.").replace(/\{[a-z]+\}/g, "[^/]+")}$`),
}));

/** The answer is of the route's schema, a refusal problem details. */
function assertDescribed(method: string, path: string, status: number, json: unknown): void {
  if (status >= 400) return void problem.parse(json);
  const address = path.replace(/\?.*/, "");
  const found = ADDRESSES.find(({ route, pattern }) => route.method === method && pattern.test(address));
  assert.ok(found, `${method} ${address} is in the table`);
  const parsed = found.route.answer.safeParse(json);
  assert.ok(parsed.success, `${found.name}: ${parsed.error?.message}`);
}

/** `path`: below `/api/v1`, or from `/api/` on. `bearer`: an API key or a token; none for nobody. */
export const asking =
  ({ origin, caPem }: Pick<Stack, "origin" | "caPem">, bearer: string | undefined): Ask =>
  async (path, { method = "GET", body, headers = {} } = {}) => {
    const address = path.startsWith("/api/") ? path : `/api/v1${path}`;
    const answer = await call(`${origin}${address}`, {
      method,
      ca: caPem,
      headers: {
        "content-type": "application/json",
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = answer.body.toString("utf8");
    assertDescribed(method, address, answer.status, JSON.parse(text));
    return {
      status: answer.status,
      headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)])),
      text,
      json: JSON.parse(text) as Answered["json"],
    };
  };

export const post = (body?: unknown, headers: Asked["headers"] = {}): Asked => ({
  method: "POST",
  ...(body === undefined ? {} : { body }),
  headers,
});
export const put = (body: unknown, headers: Asked["headers"] = {}): Asked => ({ method: "PUT", body, headers });
