/**
 * A cancel reaches the customer's SQL Server: from the API through Tables, the holder, the relay and the agent's executor to
 * an ATTENTION, in this order and one because of the other. The time it took is told, not judged.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { RunView } from "@sallyport/shared/schema/api.ts";
import type { Tds } from "../emulators/tds/start.ts";
import { readJournal } from "../stack/agent.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { CONNECTION, type StackOn, TENANT } from "../stack/start.ts";
import { readsFlights, startFlights } from "./flights.ts";

const FLIGHTS = 20_000;
const FINAL: readonly string[] = ["published", "failed", "cancelled", "superseded"];

describe("cancelling a run that reads", { timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-cancel-"));
  let sqlServer: Tds;
  let stack: StackOn;

  before(async () => {
    ({ sqlServer, stack } = await startFlights(folder, cleanup, FLIGHTS));
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Waits for an event; what never comes ends with the suite's own time. */
  const until = async <T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      await Promise.race([pause(20), stack.broken]);
    }
  };
  const view = (run: RunView) => stack.api.get<RunView>(`/tenants/${TENANT}/runs/${run.id}`);
  const attentions = () => sqlServer.log.filter(({ kind }) => kind === "attention");
  /** When the function app noticed it, from its log. */
  const noticed = (run: RunView) => {
    const lines = readFileSync(join(folder, "logs/function-app.log"), "utf8").split("\n");
    return lines.find((line) => line.includes('"cancel noticed"') && line.includes(run.id.split(".")[1]!));
  };

  for (const [name, fault] of Object.entries({
    "while rows trickle": { kind: "slowRows", everyRows: 50, delayMs: 50 },
    "while the server hangs in the middle of a row": { kind: "stallInRow", afterRows: 500 },
  } as const)) {
    it(name, async (t) => {
      const pull = fault.kind.toLowerCase();
      await stack.api.post(`/tenants/${TENANT}/pulls`, {
        id: pull,
        definition: {
          connection: CONNECTION,
          operation: { op: "sql.table", table: "dbo.Flights", columns: "*" },
          watermark: "rowversion",
        },
      });
      const from = sqlServer.log.length;
      const endFault = sqlServer.faults.add(fault, { statement: /SELECT .*FROM \[dbo\]\.\[Flights\]/s });
      t.after(endFault);
      const run = await stack.api.post<RunView>(`/tenants/${TENANT}/pulls/${pull}/runs`, {});
      const read = await until(() => sqlServer.log.slice(from).findLast(readsFlights));
      await until(async () => ((await view(run)).state === "running" ? true : undefined));
      const before = attentions().length;

      const askedMs = Date.now();
      const { answer } = await stack.api.post<{ answer: string }>(`/tenants/${TENANT}/runs/${run.id}/cancel`, {});
      const answeredMs = Date.now();
      assert.equal(answer, "asked");
      const attention = await until(() => attentions()[before]);
      const ended = await until(async () => {
        const now = await view(run);
        return FINAL.includes(now.state) ? now : undefined;
      });

      // The statement that was cut is the run's own, and it was at work.
      assert.equal(attention.session, read.session);
      assert.ok(attention.kind === "attention" && attention.running);
      assert.deepEqual([ended.state, ended.seq, ended.rows], ["cancelled", null, 0]);
      const line = noticed(run);
      assert.ok(line, "the holder noticed it by looking, not by chance");
      const order = [askedMs, attention.at, Date.parse(ended.endedAt!)];
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
      const journaled = await until(() =>
        readJournal(stack.agent.stateDir).find(
          ({ event, code, run: its }) => event === "end" && code === "request.cancelled" && its === run.id,
        ),
      );
      assert.equal(journaled.code, "request.cancelled");
      t.diagnostic(`${attention.at - askedMs} ms from the call to ATTENTION; answered in ${answeredMs - askedMs} ms`);
      // Nothing of it stays: the next run reads everything.
      endFault();
      const next = await stack.api.post<RunView>(`/tenants/${TENANT}/runs/${run.id}/retry`, {});
      const done = await until(async () => {
        const now = await view(next);
        return FINAL.includes(now.state) ? now : undefined;
      });
      assert.deepEqual([done.state, done.from, done.rows], ["published", null, FLIGHTS]);
    });
  }
});
