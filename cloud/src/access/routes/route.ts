/** A route of the HTTP API, as data: functions are registered from it, the API's description is made from it. */
import type { Scope } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";

/**
 * What a call is about, which is what a restricted key is held against. `platform`: above tenants; `tenant`: all of one, so
 * refused to a restricted key; `site`, `connection`, `pull`, `run`, `request`: the one that the address names; `body`: what
 * the body names; `list`: only what the key may see is in the answer.
 */
export type About = "platform" | "tenant" | "site" | "connection" | "pull" | "run" | "request" | "body" | "list";

interface Called {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/api/`, its parts in braces. */
  readonly path: string;
  /** A sentence for people. */
  readonly does: string;
  readonly body?: z.ZodType;
  /** The body's shape for the API's description, where `body` also mends what it is given. */
  readonly bodyShape?: z.ZodType;
  readonly answer: z.ZodType;
  /** What success is answered with; `202` stands for an answer that is still to come. */
  readonly status: 200;
}

/** For callers with an API key or a token. */
export interface GuardedRoute extends Called {
  readonly scope: Scope;
  readonly about: About;
  /** The answer is an array, a page of it at a time. */
  readonly list?: true;
  /** The answer holds a secret that is shown once: it is not kept for repeats. */
  readonly secret?: true;
  /** Has an `ETag`; a change takes `If-Match`. */
  readonly tag?: true;
  /** May be answered with 202 and a `Location`. */
  readonly later?: true;
}

/** Agents sign what they send; health and the description are public. */
export interface OpenRoute extends Called {
  readonly scope: null;
}

export type Route = GuardedRoute | OpenRoute;
