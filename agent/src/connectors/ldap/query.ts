/** Searches: page after page by our own loop on the cookie, entry after entry as fast as they are taken [RFC 2696]. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Control, type Filter, PresenceFilter, SearchRequest } from "ldapts";
import { readBer, TAG } from "./ber.ts";
import type { Answers, Connection } from "./connection.ts";
import { CONTROL, pagedControl } from "./controls.ts";
import { answerError } from "./errors.ts";
import { ANSWER, type Entry, type Message, type Result, readEntry, readReference, readResult } from "./message.ts";

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
interface Aside {
  /** Addresses on other servers, which are not followed. */
  references?(urls: readonly string[]): void;
  /** The last message. */
  result?(result: Result): void;
}

const SCOPES = { base: "base", one: "one", subtree: "sub" } as const;

const everyObject = (): Filter => new PresenceFilter({ attribute: "objectClass" });

const isSearchDone = ({ tag }: Message): boolean => tag === ANSWER.searchDone;

const requestOf = (query: Query, controls: readonly Control[] = query.controls ?? []): SearchRequest =>
  new SearchRequest({
    messageId: 0,
    baseDN: query.base,
    scope: SCOPES[query.scope],
    filter: query.filter ?? everyObject(),
    attributes: [...query.attributes],
    timeLimit: 0,
    ...(controls.length === 0 ? {} : { controls: [...controls] }),
  });

/** Whether it is an entry; hands on what it is otherwise. @throws SallyportError as `search` */
function isEntry(message: Message, aside: Aside): boolean {
  switch (message.tag) {
    case ANSWER.entry:
      return true;
    case ANSWER.reference:
      aside.references?.(readReference(message));
      return false;
    case ANSWER.searchDone: {
      const result = readResult(message);
      if (result.code !== 0) throw answerError(result);
      aside.result?.(result);
      return false;
    }
    default:
      throw new SallyportError("directory.protocol", "The directory answered a search with something else.");
  }
}

/**
 * One search without pages: of one object, or of what is known to be little.
 * @throws SallyportError `directory.*`, `connection.lost`; `directory.truncated` where the server left something out
 */
export async function* search(connection: Connection, query: Query, aside: Aside = {}): AsyncGenerator<Entry> {
  for await (const message of connection.answers(requestOf(query), isSearchDone)) {
    if (isEntry(message, aside)) yield readEntry(message);
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
 * Of a page that is held while the directory works on the next one: in its messages, before any is taken apart. A page of more
 * is taken in parts, and the next one asked for after its last part.
 */
const HELD_BYTES = 4 * 2 ** 20;

/**
 * All entries of a search, a page or a part of one at a time. The next page is asked for before a page is given, so that the
 * directory works on it meanwhile; never more than one, for its cookie comes at a page's end. A cookie does not survive its
 * connection, so this begins at the beginning or nowhere; whoever stops before the end has ended the connection.
 * @throws as `search`; `directory.cursor_lost`
 */
export async function* searchPages(
  connection: Connection,
  query: Query,
  pageSize: number,
  aside: Aside = {},
): AsyncGenerator<Iterable<Entry>> {
  const ask = (cookie: Buffer): Answers =>
    connection.begin(requestOf(query, [...(query.controls ?? []), pagedControl(pageSize, cookie)]), isSearchDone);
  let isFirst = true;
  let emptyPages = 0;
  let isDone = false;
  try {
    for (let page: Answers | undefined = ask(Buffer.alloc(0)); page !== undefined; ) {
      const { entries, cookie }: Part = await takePart(page, aside).catch((error: unknown) => {
        throw !isFirst && isCookieRefused(error) ? cursorLost() : error;
      });
      emptyPages = entries.length === 0 ? emptyPages + 1 : 0;
      if (emptyPages > MAX_EMPTY_PAGES) {
        throw new SallyportError("directory.protocol", "The directory goes on giving pages with nothing in them.");
      }
      if (cookie !== undefined) page = cookie.length === 0 ? undefined : ask(cookie);
      isFirst = false;
      yield entriesIn(entries);
    }
    isDone = true;
  } finally {
    // A page that is under way nobody waits for any more.
    if (!isDone) connection.close();
  }
}

interface Part {
  readonly entries: readonly Message[];
  /** Where the page ended with it; empty after the last page. */
  readonly cookie: Buffer | undefined;
}

async function takePart(page: Answers, aside: Aside): Promise<Part> {
  let cookie: Buffer | undefined;
  const result = (last: Result): void => {
    cookie = cookieOf(last);
    aside.result?.(last);
  };
  const entries = (await page.take(HELD_BYTES)).filter((message) => isEntry(message, { ...aside, result }));
  // One that does not page says nothing of what it left out.
  if (page.isWhole && cookie === undefined) {
    throw new SallyportError("directory.truncated", "The directory does not say whether there is more.");
  }
  return { entries, cookie };
}

/** Taken apart one by one, as they are wanted: together they would be many times their messages' size. */
function* entriesIn(messages: readonly Message[]): Generator<Entry> {
  for (const message of messages) yield readEntry(message);
}

/** The same, entry after entry. @throws as `searchPages` */
export async function* searchAll(
  connection: Connection,
  query: Query,
  pageSize: number,
  aside: Aside = {},
): AsyncGenerator<Entry> {
  for await (const entries of searchPages(connection, query, pageSize, aside)) yield* entries;
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
