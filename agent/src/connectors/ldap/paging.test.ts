/** A page is asked for while the one before is being taken: what is sent and held, and what becomes of the one under way. */
import assert from "node:assert/strict";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { int, integer, octets, parse, sequence, text, tlv } from "../../../../test/emulators/ldap/ber.ts";
import { type Connection, createConnection } from "./connection.ts";
import { CONTROL } from "./controls.ts";
import type { Entry } from "./message.ts";
import { findOne, searchPages } from "./query.ts";
import { createWire } from "./wire.ts";

const PAGE_SIZE = 500;
const QUERY = { base: "DC=corp", scope: "subtree", attributes: ["photo"] } as const;
const LIMIT = { timeout: 60_000 };

interface Asked {
  readonly id: number;
  readonly cookie: string;
}

interface Controller {
  readonly connection: Connection;
  readonly asked: readonly Asked[];
  /** Settles once so many searches have arrived. */
  arrived(count: number): Promise<void>;
  entry(id: number, name: string, photoBytes?: number): void;
  done(id: number, code: number, cookie: string): void;
  /** Its end of the line. */
  readonly socket: Duplex;
  /** The line breaks. */
  cut(): void;
  /** Settles once the connection has let go of its end. */
  readonly closed: Promise<unknown>;
}

/** The connection's other end, in this process: it answers when, and what, the test says. */
function startController(signal: AbortSignal = new AbortController().signal, answerMs = 30_000): Controller {
  const [ours, socket] = duplexPair();
  const asked: Asked[] = [];
  let held = Buffer.alloc(0);
  let look = (): void => {};
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (let next = parse(held); next !== undefined; next = parse(held)) {
      held = held.subarray(next.bytes);
      const [id, , controls] = next.node.children;
      const value = parse(controls?.children[0]?.children.at(-1)?.content ?? Buffer.alloc(0));
      asked.push({ id: integer(id), cookie: text(value?.node.children[1]) });
    }
    look();
  });
  socket.on("error", () => undefined);
  return {
    connection: createConnection({ wire: createWire(ours), certificate: undefined, answerMs }, signal),
    asked,
    socket,
    cut: () => void ours.destroy(),
    closed: new Promise((resolve) => ours.once("close", resolve)),
    arrived: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (asked.length >= count) resolve();
        };
        look();
      }),
    entry(id, name, photoBytes = 1) {
      const photo = sequence(octets("photo"), tlv(0x31, octets(Buffer.alloc(photoBytes))));
      socket.write(sequence(int(id), tlv(0x64, octets(`CN=${name}`), sequence(photo))));
    },
    done(id, code, cookie) {
      const control = sequence(octets(CONTROL.paged), octets(sequence(int(0), octets(cookie))));
      const result = tlv(0x65, int(code, 0x0a), octets(""), octets("00000057: said so\0"));
      socket.write(sequence(int(id), result, tlv(0xa0, control)));
    },
  };
}

const namesOf = (entries: Iterable<Entry>): string[] => [...entries].map(({ dn }) => dn.slice(3));
const pagesOf = (connection: Connection): AsyncGenerator<Iterable<Entry>> => searchPages(connection, QUERY, PAGE_SIZE);

async function nextOf(pages: AsyncGenerator<Iterable<Entry>>): Promise<string[]> {
  const { value } = await pages.next();
  return value === undefined ? [] : namesOf(value);
}

test(
  "the next page is asked for before a page is given, and the one after it not before its cookie came",
  LIMIT,
  async () => {
    const { connection, asked, arrived, entry, done } = startController();
    const pages = pagesOf(connection);
    const first = nextOf(pages);
    entry(1, "a");
    entry(1, "b");
    done(1, 0, "second");
    assert.deepEqual(await first, ["a", "b"]);
    // Nobody has asked for more than the first page so far.
    await arrived(2);
    entry(2, "c");
    const second = nextOf(pages);
    entry(2, "d");
    assert.equal(asked.length, 2);
    done(2, 0, "third");
    assert.deepEqual(await second, ["c", "d"]);
    await arrived(3);
    done(3, 0, "");
    assert.deepEqual(await nextOf(pages), []);
    assert.deepEqual(await pages.next(), { done: true, value: undefined });
    assert.deepEqual(
      asked.map(({ cookie }) => cookie),
      ["", "second", "third"],
    );
    // It is free for what comes next, of which the values in pieces are one.
    const found = findOne(connection, { ...QUERY, scope: "base" });
    await arrived(4);
    entry(4, "whole");
    done(4, 0, "");
    assert.equal((await found)?.dn, "CN=whole");
  },
);

test(
  "a page of more than may be held is given in parts, and the next one is asked for with its last part",
  LIMIT,
  async () => {
    const { connection, asked, arrived, entry, done } = startController();
    const pages = pagesOf(connection);
    const first = nextOf(pages);
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) entry(1, name, 2 ** 20);
    // The page has no end so far.
    const given = await first;
    assert.ok(given.length >= 3 && given.length <= 4, `${given.length} of a mebibyte each`);
    assert.equal(asked.length, 1);
    const rest = nextOf(pages);
    done(1, 0, "second");
    assert.deepEqual([...given, ...(await rest)], names);
    await arrived(2);
    done(2, 0, "");
    assert.deepEqual(await nextOf(pages), []);
  },
);

test("small entries count for what they take in memory, which is more than their bytes", LIMIT, async () => {
  const { connection, entry, done } = startController();
  const pages = pagesOf(connection);
  const first = nextOf(pages);
  for (let index = 0; index < 9_000; index += 1) entry(1, `u${index}`);
  const given = await first;
  assert.ok(given.length > 5_000 && given.length < 8_192, `${given.length} entries`);
  done(1, 0, "");
  assert.equal(given.length + (await nextOf(pages)).length, 9_000);
});

function sayHalf({ entry, socket }: Controller): void {
  entry(2, "half a page");
  socket.end();
}

const AHEAD: readonly { readonly code: string; readonly say: (controller: Controller) => void }[] = [
  { code: "directory.busy", say: ({ done }) => done(2, 51, "") },
  { code: "directory.cursor_lost", say: ({ done }) => done(2, 53, "") },
  { code: "directory.cursor_lost", say: ({ done }) => done(2, 12, "") },
  { code: "directory.truncated", say: ({ done }) => done(2, 4, "") },
  { code: "connection.lost", say: ({ cut }) => cut() },
  { code: "connection.lost", say: sayHalf },
  { code: "directory.protocol", say: ({ socket }) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") },
  { code: "directory.protocol", say: ({ entry }) => entry(1, "of the page before") },
];

test("an error of the page ahead comes after the rows of the page before", LIMIT, async () => {
  for (const { code, say } of AHEAD) {
    const controller = startController();
    const { connection, asked, arrived, entry, done, closed } = controller;
    const pages = pagesOf(connection);
    const first = nextOf(pages);
    entry(1, "a");
    done(1, 0, "second");
    assert.deepEqual(await first, ["a"], code);
    await arrived(2);
    say(controller);
    await assert.rejects(pages.next(), { code });
    await closed;
    await assert.rejects(findOne(connection, QUERY));
    assert.equal(asked.length, 2);
  }
});

test("a page ahead that does not come is waited for as long as any answer", LIMIT, async () => {
  const { connection, arrived, entry, done } = startController(undefined, 100);
  const pages = pagesOf(connection);
  const first = nextOf(pages);
  entry(1, "a");
  done(1, 0, "second");
  assert.deepEqual(await first, ["a"]);
  await arrived(2);
  entry(2, "b");
  await assert.rejects(pages.next(), { code: "directory.timeout" });
});

test("whoever stops with a page ahead under way has ended the connection", LIMIT, async () => {
  const { connection, asked, arrived, entry, done, closed } = startController();
  const reason = new SallyportError("limit.rows", "as many as may be");
  const taking = async (): Promise<void> => {
    for await (const entries of pagesOf(connection)) {
      assert.deepEqual(namesOf(entries), ["a"]);
      await arrived(2);
      entry(2, "ahead");
      throw reason;
    }
  };
  const taken = taking();
  entry(1, "a");
  done(1, 0, "second");
  await assert.rejects(taken, reason);
  await closed;
  // What was under way is nobody else's answer.
  await assert.rejects(findOne(connection, QUERY));
  assert.equal(asked.length, 2);
});

test("a cancel ends the page ahead, while it is waited for and while it is not", LIMIT, async () => {
  for (const isWaiting of [false, true]) {
    const controller = new AbortController();
    const { connection, arrived, entry, done, closed } = startController(controller.signal);
    const pages = pagesOf(connection);
    const first = nextOf(pages);
    entry(1, "a");
    done(1, 0, "second");
    await first;
    await arrived(2);
    const waiting = isWaiting ? pages.next() : undefined;
    const cancelled = new SallyportError("request.cancelled", "no more");
    controller.abort(cancelled);
    await assert.rejects(waiting ?? pages.next(), cancelled);
    await closed;
  }
});

test("an entry that cannot be read ends the connection, though its page came whole", LIMIT, async () => {
  const { connection, socket, done, closed } = startController();
  const pages = pagesOf(connection);
  const first = pages.next();
  socket.write(sequence(int(1), tlv(0x64, octets("CN=a"), octets("no list"))));
  done(1, 0, "");
  const { value } = await first;
  assert.throws(() => [...value!], { code: "directory.protocol" });
  await pages.return(undefined);
  await closed;
  await assert.rejects(findOne(connection, QUERY));
});
