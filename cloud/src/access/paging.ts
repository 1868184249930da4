/**
 * Pages of a list: `?limit=` and an opaque `?cursor=`; the next page's address comes in a `Link` header (RFC 8288), so that a
 * list stays an array.
 */
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { z } from "zod";
import type { PageRequest } from "../store/keyed.ts";
import { parse } from "./body.ts";

export const MOST_PAGE_ITEMS = 1000;

const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MOST_PAGE_ITEMS).optional(),
  cursor: z
    .string()
    .max(1024)
    .regex(/^[A-Za-z0-9_-]+$/)
    .optional(),
});

/** @throws api.invalid */
export function pageOf(query: Iterable<readonly [string, string]>, items: number = MOST_PAGE_ITEMS): PageRequest {
  const { limit = items, cursor } = parse(pageQuery, Object.fromEntries(query), "query");
  return { most: limit, after: cursor === undefined ? undefined : readCursor(cursor) };
}

/** What a row key cannot hold is no cursor of ours. */
function readCursor(cursor: string): string {
  const text = fromBase64url(cursor)?.toString("utf8") ?? "";
  return parse(z.string().regex(/^[\x20-\x7e]{1,512}$/), text, "cursor");
}

/** Of the call's own address, with another cursor. */
export function linkTo({ pathname, searchParams }: URL, next: string): string {
  const limit = searchParams.get("limit");
  const query = new URLSearchParams({ ...(limit === null ? {} : { limit }), cursor: toBase64url(utf8(next)) });
  return `<${pathname}?${query}>; rel="next"`;
}
