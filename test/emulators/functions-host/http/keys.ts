import { createHash, timingSafeEqual } from "node:crypto";
import type { AuthLevel } from "../functions.ts";

/** The host's access keys; undefined means that nobody has that key. Source: "Work with access keys in Azure Functions". */
export type HostKeys = { master: string | undefined; function: string | undefined };

/** The key a request carries: the header wins over the query. */
export function presentedKey(header: string | undefined, url: URL): string | undefined {
  return header ?? url.searchParams.get("code") ?? undefined;
}

/** Whether a presented key reaches a level: anonymous needs none, the master key opens all. */
export function isAllowed(level: AuthLevel, presented: string | undefined, keys: HostKeys): boolean {
  if (level === "anonymous") return true;
  if (presented === undefined) return false;
  if (isSame(presented, keys.master)) return true;
  return level === "function" && isSame(presented, keys.function);
}

function isSame(presented: string, expected: string | undefined): boolean {
  if (expected === undefined) return false;
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(presented), digest(expected));
}
