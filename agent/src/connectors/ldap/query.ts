/** Searches: page after page by our own loop on the cookie, entry after entry as fast as they are taken [RFC 2696]. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Control, type Filter, PresenceFilter, SearchRequest } from "ldapts";
import { readBer, TAG } from "./ber.ts";
import type { Connection } from "./connection.ts";
import { CONTROL, pagedControl } from "./controls.ts";
import { answerError } from "./errors.ts";
import { ANSWER, type Entry, type Result, readEntry, readReference, readResult } from "./message.ts";

export interface Query {
  /** A distinguished name, or `<GUID=…>`. */
  readonly base: string;
  readonly scope: "base" | "one" | "subtree";
  /** Every object without it. */
  readonly filter?: Filter;
  /** Never empty: that would ask for all of them. */
  readonly attributes: readonly string[];
  readonly controls?: readonly Control[];
}

/** Takes what a search gives besides entries. */
export interface Aside {
  /** Addresses on other servers, which are not followed. */
  references?(urls: readonly string[]): void;
  /** The last message. */
  result?(result: Result): void;
}

const SCOPES = { base: "base", one: "one", subtree: "sub" } as const;

const everyObject = (): Filter => new PresenceFilter({ attribute: "objectClass" });

/**
 * One search without pages: of one object, or of what is known to be little.
 * @throws SallyportError `directory.*`, `connection.lost`; `directory.truncated` where the server left something out
 */
export async function* search(connection: Connection, query: Query, aside: Aside = {}): AsyncGenerator<Entry> {
  const request = new SearchRequest({
    messageId: 0,
    baseDN: query.base,
    scope: SCOPES[query.scope],
    filter: query.filter ?? everyObject(),
    attributes: [...query.attributes],
    timeLimit: 0,
    ...(query.controls === undefined ? {} : { controls: [...query.controls] }),
  });
  for await (const message of connection.answers(request, ({ tag }) => tag === ANSWER.searchDone)) {
    switch (message.tag) {
      case ANSWER.entry:
        yield readEntry(message);
        break;
      case ANSWER.reference:
        aside.references?.(readReference(message));
        break;
      case ANSWER.searchDone: {
        const result = readResult(message);
        if (result.code !== 0) throw answerError(result);
        aside.result?.(result);
        break;
      }
      default:
        throw new SallyportError("directory.protocol", "The directory answered a search with something else.");
    }
  }
}

/** The first entry of a search; undefined where there is none. @throws as `search` */
export async function findOne(connection: Connection, query: Query): Promise<Entry | undefined> {
  let found: Entry | undefined;
  for await (const entry of search(connection, query)) found ??= entry;
  return found;
}

/** A directory may give pages without entries, while it looks through what does not fit; not for ever. */
const MAX_EMPTY_PAGES = 10_000;

/**
 * All entries of a search. A cookie does not survive its connection, so this begins at the beginning or nowhere.
 * @throws as `search`; `directory.cursor_lost`
 */
export async function* searchAll(
  connection: Connection,
  query: Query,
  pageSize: number,
  aside: Aside = {},
): AsyncGenerator<Entry> {
  let cookie: Buffer = Buffer.alloc(0);
  let emptyPages = 0;
  do {
    const controls = [...(query.controls ?? []), pagedControl(pageSize, cookie)];
    let next: Buffer | undefined;
    let entries = 0;
    const result = (last: Result): void => {
      next = cookieOf(last);
      aside.result?.(last);
    };
    try {
      for await (const entry of search(connection, { ...query, controls }, { ...aside, result })) {
        entries += 1;
        yield entry;
      }
    } catch (error) {
      throw cookie.length > 0 && isCookieRefused(error) ? cursorLost() : error;
    }
    // One that does not page says nothing of what it left out.
    if (next === undefined) {
      throw new SallyportError("directory.truncated", "The directory does not say whether there is more.");
    }
    cookie = next;
    emptyPages = entries === 0 ? emptyPages + 1 : 0;
    if (emptyPages > MAX_EMPTY_PAGES) {
      throw new SallyportError("directory.protocol", "The directory goes on giving pages with nothing in them.");
    }
  } while (cookie.length > 0);
}

function cookieOf({ controls }: Result): Buffer | undefined {
  const value = controls.get(CONTROL.paged);
  if (value === undefined) return undefined;
  const page = readBer(value).open(TAG.sequence);
  page.integer();
  // A view of a message that is about to go.
  return Buffer.from(page.take(TAG.octets));
}

/** Measured, and [MS-ADTS 3.1.1.3.4.1.1]: a cookie that is not known is a control that cannot be served, or an unwilling server. */
const isCookieRefused = (error: unknown): boolean =>
  error instanceof SallyportError && (error.detail.number === 12 || error.detail.number === 53);

const cursorLost = (): SallyportError =>
  new SallyportError("directory.cursor_lost", "The directory no longer knows where it was in the result.");
