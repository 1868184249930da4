/**
 * The day's budgets under any order of sessions, crashes, restarts and midnights: what was really sent and written in a day
 * never exceeds the owner's limits, and nothing that is counted is lost by a restart.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import fc from "fast-check";
import { type Journal, openJournal } from "../journal/journal.ts";
import { type ConnectionBudgets, createConnectionBudgets, type Place } from "./budgets.ts";
import { createLoginBreaker, newUsage } from "./login-breaker.ts";
import { endOrphans, readPastDay } from "./startup.ts";

const DAY_MS = 86_400_000;
const BYTES_PER_DAY = 1000;
const ROWS_PER_DAY = 100;
const SESSIONS = 3;
const FAILED_LOGINS = { count: 1000, perMs: 1 };
const LIMITS = { server: "s", sessions: SESSIONS, bytesPerDay: BYTES_PER_DAY, failedLogins: FAILED_LOGINS };
const CONNECTIONS = ["erp", "crm"] as const;

type Connection = (typeof CONNECTIONS)[number];
interface Running {
  readonly id: string;
  readonly connection: Connection;
  readonly place: Place;
  readonly isWrite: boolean;
}

/** The agent, as far as it counts; and beside it what really happened. */
class World {
  nowMs = 20_000 * DAY_MS + DAY_MS / 2;
  requests = 0;
  running: Running[] = [];
  /** What left and came in by connection and day; what nobody was told of counts too. */
  readonly sent = new Map<string, number>();
  readonly written = new Map<string, number>();
  readonly folder = mkdtempSync(join(tmpdir(), "sallyport-budgets-"));
  private journal!: Journal;
  private budgets!: ConnectionBudgets;

  constructor() {
    this.start();
  }

  start(): void {
    const past = readPastDay(this.folder, this.nowMs);
    this.journal = openJournal(this.folder, { maxBytes: 2 ** 24, maxDays: 400, nowMs: () => this.nowMs });
    endOrphans(this.journal, past.orphans);
    const breaker = createLoginBreaker(
      newUsage(),
      () => {},
      () => this.nowMs,
    );
    this.budgets = createConnectionBudgets(breaker, past.sentToday, () => this.nowMs, past.writtenToday);
  }

  /** The supervisor dies, and every executor with it: `shares` of what each had reserved was on its way by then. */
  crash(share: number): void {
    for (const each of this.running) this.really(each, share);
    this.running = [];
    this.journal.close();
    this.start();
  }

  begin(connection: Connection, wanted: number, isWrite: boolean): void {
    const id = (++this.requests).toString(16).padStart(32, "0");
    const writing = isWrite
      ? { rule: "status", limit: "rowsPerDay" as const, rows: wanted, perDay: ROWS_PER_DAY }
      : undefined;
    let place: Place;
    try {
      place = this.budgets.begin(connection, undefined, LIMITS, wanted, writing);
    } catch (error) {
      assert.ok(error instanceof SallyportError && error.code.startsWith("limit."), String(error));
      return;
    }
    assert.ok(place.bytes >= 1 && place.bytes <= wanted);
    this.journal.append({
      ...{ event: "request", request: id, connection, decision: "allow", bytesReserved: place.bytes },
      ...(place.rows === undefined ? {} : { op: "sql.write", rule: "status", rowsReserved: place.rows }),
    });
    this.running.push({ id, connection, place, isWrite });
  }

  /** `told` says whether anybody hears how much it was. */
  end(which: number, share: number, told: boolean): void {
    const each = this.running.splice(which % Math.max(1, this.running.length), 1)[0];
    if (each === undefined) return;
    const { bytes, rows } = this.really(each, share);
    const { id, connection, place, isWrite } = each;
    const said = told ? { bytesOut: bytes, ...(isWrite ? { rowsIn: rows } : {}) } : {};
    this.journal.append({ event: "end", request: id, connection, ...said });
    place.release(told ? bytes : undefined, told && isWrite ? rows : undefined);
  }

  /** Counted in the day in which it ended, as the journal does. */
  private really({ connection, place }: Running, share: number): { bytes: number; rows: number } {
    const key = `${connection} ${Math.floor(this.nowMs / DAY_MS)}`;
    const bytes = Math.floor(place.bytes * share);
    const rows = Math.floor((place.rows ?? 0) * share);
    this.sent.set(key, (this.sent.get(key) ?? 0) + bytes);
    this.written.set(key, (this.written.get(key) ?? 0) + rows);
    return { bytes, rows };
  }

  check(): void {
    for (const [day, bytes] of this.sent) assert.ok(bytes <= BYTES_PER_DAY, `${day}: ${bytes} bytes`);
    for (const [day, rows] of this.written) assert.ok(rows <= ROWS_PER_DAY, `${day}: ${rows} rows`);
    for (const name of CONNECTIONS) {
      const here = this.running.filter(({ connection }) => connection === name);
      assert.ok(here.length <= SESSIONS);
      const held = here.reduce((sum, { place }) => sum + place.bytes, 0);
      const today = this.sent.get(`${name} ${Math.floor(this.nowMs / DAY_MS)}`) ?? 0;
      assert.ok(held + today <= BYTES_PER_DAY, `${name}: ${held} reserved beside ${today} sent`);
    }
  }

  /** What the journal says of today is what is counted in memory, or more. */
  remembered(): void {
    const past = readPastDay(this.folder, this.nowMs);
    const day = Math.floor(this.nowMs / DAY_MS);
    for (const name of CONNECTIONS) {
      assert.ok((past.sentToday.get(name) ?? 0) >= (this.sent.get(`${name} ${day}`) ?? 0), name);
    }
  }

  close(): void {
    this.journal.close();
    rmSync(this.folder, { recursive: true });
  }
}

/** Mostly all that was reserved: that is what uses a day up. */
const share = fc.oneof(fc.constant(1), fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }));
type Step = (world: World) => void;
const beginOne: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(...CONNECTIONS), fc.integer({ min: 1, max: 400 }), fc.boolean())
  .map(
    ([connection, wanted, isWrite]) =>
      (world) =>
        world.begin(connection, wanted, isWrite),
  );
const endOne: fc.Arbitrary<Step> = fc.tuple(fc.nat(9), share, fc.boolean()).map(
  ([which, of, told]) =>
    (world) =>
      world.end(which, of, told),
);
const crash: fc.Arbitrary<Step> = share.map((of) => (world) => world.crash(of));
const pass: fc.Arbitrary<Step> = fc.integer({ min: 1, max: DAY_MS }).map((ms) => (world) => {
  world.nowMs += ms;
});
const step = fc.oneof(
  { weight: 12, arbitrary: beginOne },
  { weight: 10, arbitrary: endOne },
  { weight: 2, arbitrary: crash },
  { weight: 1, arbitrary: pass },
);

test("no order of sessions, crashes and midnights gets more out of a day than the owner allows", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 80, size: "max" }), (steps) => {
      const world = new World();
      try {
        for (const act of steps) {
          act(world);
          world.check();
        }
        world.remembered();
      } finally {
        world.close();
      }
    }),
    { numRuns: 80 },
  );
});
