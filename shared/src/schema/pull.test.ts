import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRunBody } from "./api.ts";
import { newRequest } from "./api-requests.ts";
import { pullDefinition } from "./pull.ts";

const table = { connection: "erp", operation: { op: "sql.table", table: "dbo.Orders", columns: "*" } };
const query = { connection: "erp", operation: { op: "sql.query", statement: "openInvoices" } };
const fits = (definition: object) => pullDefinition.safeParse(definition).success;

describe("a pull's definition", () => {
  it("has a watermark column where its mode is column, and nowhere else", () => {
    assert.ok(fits({ ...table, watermark: "column", watermarkColumn: "ChangedAt" }));
    assert.ok(fits({ ...table, watermark: "column", watermarkColumn: "ChangedAt", lagSeconds: 60 }));
    assert.ok(!fits({ ...table, watermark: "column" }));
    assert.ok(!fits({ ...table, watermark: "rowversion", watermarkColumn: "ChangedAt" }));
    assert.ok(!fits({ ...table, watermark: "rowversion", lagSeconds: 60 }));
    assert.ok(!fits({ ...query, watermark: "column", watermarkColumn: "ChangedAt" }));
  });

  it("asks for values and rows of 64 MiB at most: the orchestrator holds them", () => {
    const request = { ...table, operation: { ...table.operation, watermark: "none" } };
    for (const limit of ["cellBytes", "rowBytes"]) {
      assert.ok(fits({ ...table, limits: { [limit]: 64 * 2 ** 20 } }));
      assert.ok(!fits({ ...table, limits: { [limit]: 64 * 2 ** 20 + 1 } }));
      assert.ok(newRequest.safeParse({ ...request, limits: { [limit]: 64 * 2 ** 20 } }).success);
      assert.ok(!newRequest.safeParse({ ...request, limits: { [limit]: 64 * 2 ** 20 + 1 } }).success);
    }
  });

  it("reads a directory's changes by DirSync or update numbers, and nothing else by these", () => {
    const place = { base: "OU=Staff,DC=corp,DC=example", classes: ["user"], attributes: ["objectGUID"] };
    const changes = { connection: "corp", operation: { op: "ad.changes", ...place } };
    for (const watermark of ["dirSync", "usn"]) {
      assert.ok(fits({ ...changes, watermark }));
      assert.ok(!fits({ ...table, watermark }));
      assert.ok(!fits({ ...changes, operation: { op: "ad.search", ...place }, watermark }));
      assert.ok(!fits({ ...changes, operation: { ...changes.operation, by: watermark }, watermark }));
    }
    for (const watermark of ["none", "cdc", "rowversion"]) assert.ok(!fits({ ...changes, watermark }));
  });

  it("searches a directory whole, in a tree of conditions that is bounded", () => {
    const search = { op: "ad.search", base: "OU=Staff,DC=x", classes: ["user"], attributes: "*" };
    const pull = (more: object, watermark = "none") =>
      fits({ connection: "corp", operation: { ...search, ...more }, watermark });
    assert.ok(pull({}));
    assert.ok(pull({ scope: "one", filter: { not: { attribute: "mail", is: "present" } } }));
    assert.ok(!pull({}, "rowversion"));
    for (const wrong of [
      { base: "Staff" },
      { classes: [] },
      { attributes: [] },
      { attributes: ["member;range=0-1"] },
    ]) {
      assert.ok(!pull(wrong), JSON.stringify(wrong));
    }
    assert.ok(!pull({ plan: { to: null, key: [], isolation: "readCommitted", consistency: "fuzzy" } }));
    const deep = Array.from({ length: 25 }).reduce<object>((inner) => ({ not: inner }), {
      attribute: "a",
      is: "present",
    });
    assert.ok(!pull({ filter: deep }));
    assert.ok(!pull({ filter: "(objectClass=*)" }));
  });

  it("reads changes by Change Tracking or CDC, and nothing else by these", () => {
    const changes = { connection: "erp", operation: { op: "sql.changes", table: "dbo.Orders", columns: "*" } };
    const more = (operation: object) => ({ ...changes, operation: { ...changes.operation, ...operation } });
    for (const watermark of ["changeTracking", "cdc"]) {
      assert.ok(fits({ ...changes, watermark }));
      assert.ok(!fits({ ...table, watermark }));
      assert.ok(!fits({ ...query, watermark }));
    }
    assert.ok(!fits(changes));
    assert.ok(!fits({ ...changes, watermark: "rowversion" }));
    assert.ok(fits({ ...more({ consistency: "convergent" }), watermark: "changeTracking" }));
    assert.ok(!fits({ ...more({ consistency: "convergent" }), watermark: "cdc" }));
    assert.ok(fits({ ...more({ captureInstance: "dbo_Orders" }), watermark: "cdc" }));
    assert.ok(!fits({ ...more({ captureInstance: "dbo_Orders" }), watermark: "changeTracking" }));
    assert.ok(!fits({ ...more({ by: "cdc" }), watermark: "cdc" }), "the watermark says by what");
  });

  it("reads a snapshot whole", () => {
    const snapshot = { ...table, operation: { ...table.operation, consistency: "snapshot" } };
    assert.ok(fits(snapshot));
    assert.ok(!fits({ ...snapshot, watermark: "rowversion" }));
  });

  it("does not take what a run adds", () => {
    for (const more of [{ to: "1" }, { from: "1" }, { position: "1" }, { watermarkColumn: "A" }, { lagSeconds: 1 }]) {
      assert.ok(!fits({ ...table, operation: { ...table.operation, ...more } }), JSON.stringify(more));
    }
  });

  it("has defaults that change nothing: no jitter, no retention, one run after a standstill", () => {
    const parsed = pullDefinition.parse({ ...table, schedule: { cron: "0 2 * * *" } });
    assert.deepEqual(parsed.schedule, {
      ...{ cron: "0 2 * * *", timezone: "UTC", misfire: "once", overlap: "skip", jitterSeconds: 0 },
    });
    assert.equal(parsed.retentionDays, undefined);
    assert.ok(fits({ ...table, schedule: { cron: "0 2 * * *", misfire: "all", jitterSeconds: 3600 } }));
    assert.ok(!fits({ ...table, schedule: { cron: "0 2 * * *", jitterSeconds: 3601 } }));
    assert.ok(!fits({ ...table, retentionDays: 0 }));
  });
});

describe("what starts a run", () => {
  it("is nothing at all, or what kind of run", () => {
    assert.deepEqual(newRunBody.parse(undefined), { kind: "manual" });
    assert.deepEqual(newRunBody.parse({}), { kind: "manual" });
    assert.deepEqual(newRunBody.parse({ kind: "backfill", to: "9" }), { kind: "backfill", to: "9" });
    for (const bad of [null, [], "manual", { kind: "scheduled" }, { from: "1" }, { kind: "backfill", since: "1" }]) {
      assert.ok(!newRunBody.safeParse(bad).success, JSON.stringify(bad));
    }
  });
});
