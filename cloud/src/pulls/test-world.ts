/**
 * A world for the model test: Tables, blobs, a queue and time in memory, and a fate that decides in which order things
 * happen, whose reply is lost, what is applied late, who freezes and who dies. The code that runs in it is the product's.
 */
import type { OpenSession } from "../sessions/session.ts";
import { enterFreely, type Sink } from "../sinks/sink.ts";
import { openStore } from "../store/open.ts";
import { NO_TELEMETRY } from "../telemetry/telemetry.ts";
import { answerDoorbell } from "./answer.ts";
import type { PullDeps } from "./deps.ts";
import type { Doorbell } from "./ring.ts";
import { DEFAULT_PULL_SETTINGS } from "./settings.ts";
import { type Entity, failure, memoryContainer, memoryTable } from "./test-services.ts";
import { tick } from "./tick.ts";

interface Invocation {
  dead: boolean;
  frozenUntilMs: number;
}
interface Event {
  readonly who: Invocation;
  readonly atMs: number;
  readonly run: () => void;
}

export interface World {
  /** Dependencies of one invocation, which may freeze or die alone. */
  invocation(): PullDeps;
  /** Begins something in an invocation of its own; its errors are the invocation's. */
  begin(act: (deps: PullDeps) => Promise<unknown>): void;
  at(ms: number, act: () => void): void;
  /** Lets things happen until nothing is left to happen. Throws when that never ends. */
  settle(): Promise<void>;
  /** Faults that may still happen. */
  faults: number;
  /** The Ids of the source's rows. */
  source: number[];
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly nowMs: number;
}

const START_MS = Date.UTC(2026, 0, 1);

export function testWorld(seed: number): World {
  const luck = mulberry(seed);
  const chance = (probability: number) => luck() < probability;
  const random = (bytes: number) => Buffer.from(Array.from({ length: bytes }, () => Math.floor(luck() * 256)));
  const tables = new Map<string, Map<string, Entity>>();
  const blobs = new Map<string, Buffer>();
  const hashes = new Map<string, string>();
  let events: Event[] = [];
  let nowMs = START_MS;
  let etags = 0;
  const nobody: Invocation = { dead: false, frozenUntilMs: 0 };
  const schedule = (who: Invocation, delayMs: number, run: () => void) => {
    const event = { who, atMs: nowMs + delayMs, run };
    events.push(event);
    return () => {
      events = events.filter((other) => other !== event);
    };
  };

  /** A request to a service: takes its time, and may go wrong in every way that a network knows. */
  function call<T>(who: Invocation, isWrite: boolean, apply: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const reply = (act: () => void) => schedule(who, 1 + luck() * 30, act);
    const applyNow = () => {
      try {
        const result = apply();
        reply(() => resolve(result));
      } catch (thrown) {
        reply(() => reject(thrown));
      }
    };
    const swallow = () => {
      try {
        apply();
      } catch {
        // Refused, and nobody is there to hear it.
      }
    };
    const unlucky = isWrite && world.faults > 0 && chance(0.15);
    if (unlucky) world.faults -= 1;
    const ways: Record<string, () => void> = {
      "not sent": () => void reply(() => reject(failure())),
      "reply lost": () => {
        swallow();
        reply(() => reject(failure()));
      },
      "applied late": () => {
        // Mostly between a holder's look at what became of it and its repeat, where it does most harm.
        schedule(nobody, chance(0.7) ? luck() * 700 : luck() * 200_000, swallow);
        reply(() => reject(failure()));
      },
      "dies before": () => {
        who.dead = true;
      },
      "dies after": () => {
        swallow();
        who.dead = true;
      },
      freezes: () => {
        who.frozenUntilMs = nowMs + luck() * 200_000;
        applyNow();
      },
    };
    const way = unlucky ? Object.values(ways)[Math.floor(luck() * 6)]! : applyNow;
    // What was sent arrives even if its sender freezes or dies now.
    schedule(nobody, 1 + luck() * 30, way);
    return promise;
  }

  const entitiesOf = (name: string) => {
    const entities = tables.get(name) ?? new Map<string, Entity>();
    tables.set(name, entities);
    return entities;
  };
  const table = (who: Invocation, name: string) =>
    memoryTable({
      entities: entitiesOf(name),
      call: (isWrite, apply) => call(who, isWrite, apply),
      nowMs: () => nowMs,
      newEtag: () => `W/"${++etags}"`,
    });
  const container = (who: Invocation) =>
    memoryContainer({ blobs, hashes, call: (isWrite, apply) => call(who, isWrite, apply) });

  /** Parts are JSON lists of Ids. */
  const sink = (who: Invocation): Sink => ({
    enter: enterFreely,
    extension: "json",
    async open(path) {
      const ids: number[] = [];
      return {
        schema: async () => undefined,
        batch: async ({ bytes }) => void ids.push(...JSON.parse(Buffer.from(bytes).toString())),
        checkpoint: async () => undefined,
        abort: async () => undefined,
        async commit() {
          const content = Buffer.from(JSON.stringify(ids));
          await call(who, true, () => {
            if (blobs.has(path)) throw failure(409);
            blobs.set(path, content);
          });
          return { path, sha256: "x".repeat(43), rows: ids.length, bytes: content.length };
        },
      };
    },
  });

  const session =
    (who: Invocation): OpenSession =>
    async ({ operation }, consumer, signal) => {
      if (operation.op !== "sql.table") throw new TypeError("only tables");
      // The source may have grown since the plan was fixed.
      const to = operation.plan?.to ?? String(Math.max(0, ...world.source));
      const plan = { to, key: ["Id"], isolation: "readCommitted" as const, consistency: "exact" as const };
      await consumer.schema({
        bytes: Buffer.alloc(0),
        columns: [],
        plan,
        policy: "p".repeat(43),
        maskKey: null,
        agent: "",
      });
      const after = Number(operation.position ?? operation.from ?? 0);
      const ids = world.source.filter((id) => id > after && id <= Number(to));
      let rows = 0;
      let position = operation.position ?? null;
      const outcome = (complete: boolean) =>
        ({ ok: true, rows, bytes: rows, batches: rows, position, complete, executedMs: 0 }) as const;
      for (const id of ids) {
        // Slow enough for leases to matter.
        await new Promise<void>((done) => void schedule(who, luck() * 20_000, done));
        if (signal.aborted) return { ok: false, code: "request.cancelled", message: "", detail: {} };
        const bytes = Buffer.from(JSON.stringify([id]));
        await consumer.batch({ bytes, rows: 1, decompressedBytes: bytes.length, columns: [] });
        rows += 1;
        position = String(id);
        const answer = await consumer.checkpoint({ rows, bytes: rows, position });
        if (answer === "finish" || chance(0.05)) return outcome(id === ids.at(-1));
      }
      return outcome(true);
    };

  const ring = async (bell: Doorbell, atMs = nowMs) => {
    if (world.faults > 0 && chance(0.1)) return;
    const deliver = () => world.begin((deps) => answerDoorbell(deps, { v: 1, ...bell }, new AbortController().signal));
    const delayMs = Math.max(0, atMs - nowMs);
    schedule(nobody, delayMs + luck() * 100, deliver);
    if (chance(0.1)) schedule(nobody, delayMs + luck() * 100_000, deliver);
  };

  function depsOf(who: Invocation): PullDeps {
    const sinks = { arrow: sink(who), parquet: sink(who), ndjson: sink(who) };
    return {
      store: openStore((name) => table(who, name), random),
      blobs: container(who),
      sinks,
      links: async () => "",
      openSession: session(who),
      ring,
      tell: () => call(who, false, () => undefined),
      tellFreshness: () => call(who, false, () => undefined),
      clock: {
        now: () => Math.floor(nowMs),
        monotonic: () => nowMs - START_MS,
        after: (delayMs, act) => schedule(who, delayMs, act),
      },
      random,
      settings: { ...DEFAULT_PULL_SETTINGS, sliceBytes: 2, restSeconds: 600 },
      telemetry: NO_TELEMETRY,
      log: () => undefined,
    };
  }

  /** The earliest that may happen; what belongs to the dead never does. */
  function next(): Event | undefined {
    events = events.filter(({ who }) => !who.dead);
    const timeOf = ({ who, atMs }: Event) => Math.max(atMs, who.frozenUntilMs);
    let first: Event | undefined;
    for (const event of events) if (!first || timeOf(event) < timeOf(first)) first = event;
    if (!first) return undefined;
    nowMs = Math.max(nowMs, timeOf(first));
    events = events.filter((event) => event !== first);
    return first;
  }

  let begun = 0;
  const world: World = {
    invocation: () => depsOf({ dead: false, frozenUntilMs: 0 }),
    begin(act) {
      const who = { dead: false, frozenUntilMs: 0 };
      begun += 1;
      void act(depsOf(who))
        .catch(() => undefined)
        .finally(() => {
          // Its timers would keep the world from coming to rest.
          who.dead = true;
        });
    },
    at: (ms, act) => void schedule(nobody, ms, act),
    async settle() {
      let nextTickMs = nowMs;
      for (let steps = 0; steps < 20_000; steps++) {
        await new Promise((done) => setImmediate(done));
        if (nowMs >= nextTickMs) {
          nextTickMs = nowMs + 60_000;
          world.begin((deps) => tick(deps, nowMs));
          continue;
        }
        const event = next();
        if (event) event.run();
        else if ((tables.get("wake")?.size ?? 0) > 0) nowMs = nextTickMs;
        else return;
      }
      throw new Error(`the world never comes to rest; ${begun} invocations`);
    },
    faults: 0,
    source: [],
    blobs,
    get nowMs() {
      return nowMs;
    },
  };
  return world;
}

/** A small generator, so that a seed tells the whole story again. */
function mulberry(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
