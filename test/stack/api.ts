/** The orchestrator's public API, as the stack and the tests use it. */
import { setTimeout as pause } from "node:timers/promises";
import type { Problem } from "@sallyport/shared/schema/api.ts";
import { call } from "./https.ts";

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
  }
}

export interface Api {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  /** The same API with another key. */
  as(key: string): Api;
}

/** @param origin of the function app, without a path */
export function connectApi(origin: string, key: string, ca: string): Api {
  const send = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await call(`${origin}/api/v1${path}`, {
      method,
      ca,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = answer.body.toString("utf8");
    if (answer.status >= 400) {
      const problem = problemOf(text, answer.status);
      if (problem.code !== "api.too_many_calls") throw new ApiError(problem);
      // Tests look often: who is asked to wait does.
      await pause(Number(answer.headers["retry-after"] ?? 1) * 1000);
      return send(method, path, body);
    }
    return JSON.parse(text) as T;
  };
  return {
    get: (path) => send("GET", path),
    post: (path, body) => send("POST", path, body),
    put: (path, body) => send("PUT", path, body),
    as: (other) => connectApi(origin, other, ca),
  };
}

function problemOf(text: string, status: number): Problem {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    const detail = `HTTP ${status} without problem details`;
    return { type: "about:blank", title: detail, status, code: "http", detail, advice: "", instance: "" };
  }
}
