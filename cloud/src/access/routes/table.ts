/** Every route of the HTTP API. A function that is not registered from this table is none (test/rules, test/e2e/access). */
import { EVENTS } from "./events.ts";
import { KEYS } from "./keys.ts";
import { OPEN } from "./open.ts";
import { PULLS } from "./pulls.ts";
import { RELEASES } from "./releases.ts";
import type { Route } from "./route.ts";
import { TENANTS } from "./tenants.ts";

export const GUARDED = { ...TENANTS, ...PULLS, ...EVENTS, ...KEYS, ...RELEASES };
export type GuardedName = keyof typeof GUARDED;
export type OpenName = keyof typeof OPEN;

export const ROUTES: Readonly<Record<GuardedName | OpenName, Route>> = { ...OPEN, ...GUARDED };
