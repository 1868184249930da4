import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach, mock, test } from "node:test";
import {
  createOpener,
  createSealer,
  creditBody,
  FRAME,
  type Frame,
  jsonBody,
} from "@sallyport/shared/protocol/frames.ts";
import type { Clock } from "../clock.ts";
import { createSealedStream, type SealedStream } from "./stream.ts";

const KIB = 1024;
afterEach(() => mock.timers.reset());

/** A stream whose other end is here: what it sent, opened, and what the orchestrator seals. */
function open(windowBytes = 1024 * KIB) {
  mock.timers.enable({ apis: ["setInterval"] });
  let nowMs = 0;
  const clock: Clock = {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.reject(new Error("unused")),
  };
  const keys = { toOrchestrator: randomBytes(32), toAgent: randomBytes(32) };
  const opener = createOpener(keys.toOrchestrator);
  const sent: Frame[] = [];
  const stream = createSealedStream({ keys, windowBytes, send: (record) => sent.push(opener(record)), clock });
  return {
    stream,
    sent,
    seal: createSealer(keys.toAgent),
    pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 1000) {
        nowMs += 1000;
        mock.timers.tick(1000);
      }
    },
  };
}

const codeOf = (stream: SealedStream): unknown => (stream.signal.reason as { code?: string } | undefined)?.code;

test("a message is cut into pieces, and waits where credit ends", async () => {
  const { stream, sent, seal } = open(600 * KIB);
  const sending = stream.sendPieces(FRAME.batch, randomBytes(1000 * KIB));
  await new Promise(setImmediate);
  assert.equal(sent.length, 2);
  stream.message(seal(FRAME.credit, creditBody(500 * KIB)));
  await sending;
  assert.deepEqual(
    sent.map(({ body, last }) => [body.byteLength / KIB, last]),
    [
      [256, false],
      [256, false],
      [256, false],
      [232, true],
    ],
  );
  assert.equal(stream.totals.bytes, 1000 * KIB);
  stream.end();
});

test("without credit heartbeats still go, and a stop ends the wait", async () => {
  const { stream, sent, pass, seal } = open(1);
  const sending = stream.sendJson(FRAME.checkpoint, { rows: 0, bytes: 0, position: "x" });
  pass(21_000);
  assert.deepEqual(
    sent.map(({ type }) => type),
    [FRAME.progress, FRAME.progress],
  );
  stream.message(seal(FRAME.cancel, jsonBody({ reason: "test" })));
  await assert.rejects(sending, { code: "request.cancelled" });
  await stream.sendJson(FRAME.error, { code: "request.cancelled" });
  assert.equal(sent.at(-1)?.type, FRAME.error);
  stream.end();
});

test("60 s without a valid frame end the session; a heartbeat keeps it", () => {
  const { stream, pass, seal } = open();
  pass(50_000);
  stream.message(seal(FRAME.credit, creditBody(0)));
  pass(59_000);
  assert.equal(stream.signal.aborted, false);
  pass(1_000);
  assert.equal(codeOf(stream), "protocol.silent");
  stream.end();
});

test("finish is told to whoever asks at the next checkpoint", () => {
  const { stream, seal } = open();
  assert.equal(stream.finishing, false);
  stream.message(seal(FRAME.finish, new Uint8Array(0)));
  assert.equal(stream.finishing, true);
  stream.end();
});

for (const [what, code, messages] of [
  ["text", "protocol.order", () => ["text" as const]],
  ["an altered frame", "protocol.integrity", (seal: Seal) => [flip(seal(FRAME.credit, creditBody(0)))]],
  [
    "a repeated frame",
    "protocol.integrity",
    (seal: Seal) => {
      const frame = seal(FRAME.credit, creditBody(0));
      return [frame, frame];
    },
  ],
  [
    "a lost frame",
    "protocol.integrity",
    (seal: Seal) => [seal(FRAME.finish, Buffer.alloc(0)), seal(FRAME.finish, Buffer.alloc(0))].slice(1),
  ],
  ["a second request", "protocol.order", () => [Buffer.alloc(2000, 2)]],
  ["an agent's frame", "protocol.order", (seal: Seal) => [seal(FRAME.progress, jsonBody({}))]],
  ["credit beyond 64 MiB", "protocol.credit", (seal: Seal) => [seal(FRAME.credit, creditBody(64 * KIB * KIB))]],
  ["credit of three bytes", "protocol.order", (seal: Seal) => [seal(FRAME.credit, Buffer.alloc(3))]],
  ["a cancel that is no JSON", "protocol.order", (seal: Seal) => [seal(FRAME.cancel, Buffer.from("{"))]],
  [
    "a flood of small frames",
    "protocol.order",
    (seal: Seal) => Array.from({ length: 201 }, () => seal(FRAME.credit, creditBody(0))),
  ],
] as const) {
  test(`${what} stops the session with ${code}`, () => {
    const { stream, seal } = open();
    for (const message of messages(seal)) stream.message(message);
    assert.equal(codeOf(stream), code);
    stream.end();
  });
}

type Seal = ReturnType<typeof createSealer>;
function flip(record: Buffer): Buffer {
  record[record.length >> 1]! ^= 1;
  return record;
}

test("rows that nobody asked for are out of order; where somebody takes them they cost no small frame", () => {
  const idle = open();
  idle.stream.message(idle.seal(FRAME.inputSchema, Buffer.alloc(10)));
  assert.equal(codeOf(idle.stream), "protocol.order");
  mock.timers.reset();
  const { stream, seal } = open();
  let taken = 0;
  stream.onInput((_frame, recordBytes) => {
    taken += recordBytes;
  });
  for (let n = 0; n < 500; n++) stream.message(seal(FRAME.inputBatch, Buffer.alloc(10)));
  assert.deepEqual([taken, stream.signal.aborted], [500 * 29, false]);
});
