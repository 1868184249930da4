/** The relay joins ends that do not belong together, replays what it recorded, and puts in messages of its own. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { MAX_RECORD_BYTES } from "@sallyport/shared/protocol/records.ts";
import type { Attack } from "./attack.ts";
import type { End, Message } from "./gateway.ts";
import { PASSWORD, type Read, type World } from "./world.ts";

interface Joined {
  readonly read: Read;
  readonly sender: End;
  readonly executor: End;
}

/** One session's two ends in the relay's hands; nothing passes yet. `challenge` replaces the orchestrator's own. */
async function join(world: World, challenge?: string): Promise<Joined> {
  const read = world.read("gateway");
  const sender = await world.gateway.sender();
  const address = world.gateway.address();
  world.accept(address, { "Sallyport-Challenge": challenge ?? sender.challenge });
  return { read, sender, executor: await world.gateway.executor(address) };
}

async function pass(from: End, to: End): Promise<Message> {
  const message = await from.next();
  assert.ok(message !== undefined, "the end closed instead of speaking");
  to.socket.send(message.data, { binary: message.binary });
  return message;
}

/** Passes everything on, both ways, and keeps it. Settles when both ends have closed. */
async function passAll(a: End, b: End, seen: Buffer[] = []): Promise<void> {
  const one = async (from: End, to: End): Promise<void> => {
    for (let message = await from.next(); message !== undefined; message = await from.next()) {
      seen.push(message.data);
      to.socket.send(message.data, { binary: message.binary });
    }
    to.socket.close();
  };
  await Promise.all([one(a, b), one(b, a)]);
}

const end = (joined: Joined): void => {
  joined.sender.socket.terminate();
  joined.executor.socket.terminate();
};

async function codeOf({ outcome }: Read): Promise<string> {
  const result = await outcome;
  assert.ok(!result.ok, "the session was taken for whole");
  return result.code;
}

/** The agent's line for a session that ended before its request. */
const sessionLine = (world: World, code: string, after: number) =>
  world.site.journaled(({ seq, event, code: found }) => Number(seq) > after && event === "session" && found === code);

/** What a relay may put in the request's place, and the code that the agent's journal then has. */
const INTRUSIONS: readonly [string, Attack["rule"], () => string | Buffer, string][] = [
  ["a text message", "P4.1", () => "hello", "protocol.order"],
  ["an empty message", "P4.1", () => Buffer.alloc(0), "protocol.order"],
  ["an unknown kind", "P8.2", () => Buffer.concat([Buffer.of(0x7f), randomBytes(64)]), "protocol.order"],
  ["a frame", "P4.1", () => Buffer.concat([Buffer.of(0x03), randomBytes(64)]), "protocol.order"],
  ["a hello", "P4.1", () => Buffer.concat([Buffer.of(0x01), randomBytes(64)]), "protocol.order"],
  ["a request of 64 KiB and one byte", "P4.2", () => ofBytes(0x02, MAX_RECORD_BYTES[2] + 1), "protocol.order"],
  ["a message larger than any record", "P4.2", () => ofBytes(0x02, MAX_RECORD_BYTES[3] + 1), "protocol.truncated"],
  ["a request that is too short", "P4.9", () => Buffer.of(0x02, 1, 2, 3), "protocol.integrity"],
  ["a request of noise", "P4.9", () => ofBytes(0x02, 3000), "protocol.integrity"],
];
const ofBytes = (kind: number, bytes: number): Buffer => Buffer.concat([Buffer.of(kind), randomBytes(bytes - 1)]);

export const WIRING_ATTACKS: readonly Attack[] = [
  {
    rule: "P7.1",
    name: "reads everything that passes: no credential, table or row stands in it, and the session is whole",
    async run(world) {
      const joined = await join(world);
      const seen: Buffer[] = [];
      await passAll(joined.sender, joined.executor, seen);
      const outcome = await joined.read.outcome;
      assert.ok(outcome.ok && outcome.rows === world.rows);
      const all = Buffer.concat(seen).toString("latin1");
      for (const secret of [PASSWORD, Buffer.from(PASSWORD).toString("base64url"), "dbo.Orders", '"user":"svc"']) {
        assert.equal(all.includes(secret), false, `the relay read ${secret}`);
      }
      const hello = seen.find((message) => message[0] === 0x01)?.toString("latin1", 1) ?? "";
      const payload = Buffer.from(hello.split(".")[1] ?? "", "base64url").toString();
      assert.match(payload, /"agent":"[0-9a-f]{32}"/, "it read no hello either");
    },
  },
  {
    rule: "P4.3",
    name: "would compress: no executor offers an extension of the WebSocket",
    async run(world) {
      const joined = await join(world);
      assert.deepEqual([joined.executor.extensions, joined.sender.extensions], ["", ""]);
      end(joined);
    },
  },
  {
    rule: "P4.5",
    name: "cross-wires two sessions of one agent: each hello is for the other's challenge, and nothing is sealed",
    async run(world) {
      const alerts = world.alerts.length;
      const [one, two] = [await join(world), await join(world)];
      await Promise.all([pass(one.executor, two.sender), pass(two.executor, one.sender)]);
      assert.deepEqual(await Promise.all([codeOf(one.read), codeOf(two.read)]), ["protocol.hello", "protocol.hello"]);
      assert.deepEqual(world.alerts.slice(alerts), ["hello refused: challenge", "hello refused: challenge"]);
      assert.deepEqual([await one.sender.next(), await two.sender.next()], [undefined, undefined]);
      [one, two].forEach(end);
    },
  },
  {
    rule: "P4.9",
    name: "swaps the requests of two sessions: neither opens",
    async run(world) {
      const after = world.site.journal().length;
      const [one, two] = [await join(world), await join(world)];
      await Promise.all([pass(one.executor, one.sender), pass(two.executor, two.sender)]);
      await Promise.all([pass(one.sender, two.executor), pass(two.sender, one.executor)]);
      assert.deepEqual(await Promise.all([one.executor.closed, two.executor.closed]), [1002, 1002]);
      await sessionLine(world, "protocol.integrity", after);
      [one, two].forEach(end);
      assert.deepEqual(await Promise.all([codeOf(one.read), codeOf(two.read)]), [
        "protocol.truncated",
        "protocol.truncated",
      ]);
    },
  },
  {
    rule: "P4.15",
    name: "gives one session the other's frames: they open nowhere",
    async run(world) {
      const [one, two] = [await join(world), await join(world)];
      for (const { executor, sender } of [one, two]) {
        await pass(executor, sender);
        await pass(sender, executor);
      }
      await Promise.all([pass(one.executor, two.sender), pass(two.executor, one.sender)]);
      assert.deepEqual(await Promise.all([codeOf(one.read), codeOf(two.read)]), [
        "protocol.integrity",
        "protocol.integrity",
      ]);
      [one, two].forEach(end);
    },
  },
  {
    rule: "P4.5",
    name: "replays a hello of the same agent: refused with an alert",
    async run(world) {
      const alerts = world.alerts.length;
      const first = await join(world);
      const hello = await pass(first.executor, first.sender);
      end(first);
      const second = await join(world);
      second.sender.socket.send(hello.data, { binary: true });
      assert.equal(await codeOf(second.read), "protocol.hello");
      assert.deepEqual(world.alerts.slice(alerts), ["hello refused: challenge"]);
      end(second);
    },
  },
  {
    rule: "P4.9",
    name: "replays a request that it recorded: it opens in its own session only",
    async run(world) {
      const after = world.site.journal().length;
      const first = await join(world);
      await pass(first.executor, first.sender);
      const request = await first.sender.next();
      end(first);
      // Even under the challenge of the recorded session: the executor's key is another one.
      const second = await join(world, first.sender.challenge);
      await second.executor.next();
      second.executor.socket.send(request!.data);
      assert.equal(await second.executor.closed, 1002);
      await sessionLine(world, "protocol.integrity", after);
      end(second);
    },
  },
  {
    rule: "P4.22",
    name: "cuts a session after rows have passed: truncated, and never taken for whole",
    async run(world) {
      const joined = await join(world);
      await pass(joined.executor, joined.sender);
      await pass(joined.sender, joined.executor);
      for (let frames = 0; frames < 4; frames += 1) await pass(joined.executor, joined.sender);
      joined.sender.socket.close(1000);
      assert.equal(await codeOf(joined.read), "protocol.truncated");
      end(joined);
    },
  },
  {
    rule: "P4.1",
    name: "says something to the orchestrator in the hello's place: refused, nothing sealed",
    async run(world) {
      for (const [said, code] of [
        ["hello", "protocol.order"],
        [Buffer.alloc(0), "protocol.order"],
        [ofBytes(0x03, 100), "protocol.order"],
        [ofBytes(0x01, MAX_RECORD_BYTES[1] + 1), "protocol.order"],
        [ofBytes(0x01, 100), "protocol.hello"],
      ] as const) {
        const joined = await join(world);
        joined.sender.socket.send(said);
        assert.equal(await codeOf(joined.read), code);
        assert.equal(await joined.sender.next(), undefined);
        end(joined);
      }
    },
  },
  ...INTRUSIONS.map(
    ([what, rule, make, code]): Attack => ({
      rule,
      name: `puts ${what} in the request's place: the agent closes, with a line in its journal`,
      async run(world) {
        const after = world.site.journal().length;
        const joined = await join(world);
        await joined.executor.next();
        joined.executor.socket.send(make());
        const closed = await joined.executor.closed;
        assert.ok([1002, 1009].includes(closed), `closed with ${closed}`);
        await sessionLine(world, code, after);
        end(joined);
      },
    }),
  ),
];
