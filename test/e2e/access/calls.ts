/** Calls of the API with their headers, by whichever key. */
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

/** `path`: below `/api/v1`, or from `/api/` on. `bearer`: an API key or a token; none for nobody. */
export const asking =
  ({ origin, caPem }: Pick<Stack, "origin" | "caPem">, bearer: string | undefined): Ask =>
  async (path, { method = "GET", body, headers = {} } = {}) => {
    const answer = await call(`${origin}${path.startsWith("/api/") ? path : `/api/v1${path}`}`, {
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
