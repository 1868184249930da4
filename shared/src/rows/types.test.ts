import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sqlServerType, sqlServerTypeText } from "./types.ts";

describe("SQL Server's types", () => {
  it("have one column type each, that holds all their values", () => {
    const kinds = (names: string) => names.split(" ").map((name) => sqlServerType({ name })?.kind);
    assert.deepEqual(new Set(kinds("char varchar nchar nvarchar text ntext xml sysname json")), new Set(["utf8"]));
    const binary = "binary varbinary image hierarchyid geography geometry";
    assert.deepEqual(new Set(kinds(binary)), new Set(["binary"]));
    assert.deepEqual(sqlServerType({ name: "tinyint" }), { kind: "int", bits: 8, signed: false });
    assert.deepEqual(sqlServerType({ name: "bigint" }), { kind: "int", bits: 64, signed: true });
    assert.deepEqual(sqlServerType({ name: "money" }), { kind: "decimal", precision: 19, scale: 4 });
    assert.deepEqual(sqlServerType({ name: "smallmoney" }), { kind: "decimal", precision: 10, scale: 4 });
    const decimal = { kind: "decimal", precision: 38, scale: 10 };
    assert.deepEqual(sqlServerType({ name: "numeric", precision: 38, scale: 10 }), decimal);
    assert.deepEqual(sqlServerType({ name: "uniqueidentifier" }), { kind: "fixedBinary", bytes: 16, uuid: true });
    assert.deepEqual(sqlServerType({ name: "timestamp" }), { kind: "fixedBinary", bytes: 8 });
    assert.deepEqual(sqlServerType({ name: "float", precision: 24 }), { kind: "float", bits: 32 });
    assert.deepEqual(sqlServerType({ name: "float" }), { kind: "float", bits: 64 });
  });
  it("take the coarsest unit that holds their digits", () => {
    assert.deepEqual(sqlServerType({ name: "datetime" }), { kind: "timestamp", unit: "ms" });
    assert.deepEqual(sqlServerType({ name: "datetime2", scale: 6 }), { kind: "timestamp", unit: "us" });
    assert.deepEqual(sqlServerType({ name: "datetime2", scale: 0 }), { kind: "timestamp", unit: "us" });
    assert.deepEqual(sqlServerType({ name: "datetime2" }), { kind: "timestamp", unit: "ns" });
    assert.deepEqual(sqlServerType({ name: "datetimeoffset", scale: 7 }), { kind: "timestampOffset", unit: "ns" });
    assert.deepEqual(sqlServerType({ name: "datetimeoffset", scale: 3 }), { kind: "timestampOffset", unit: "us" });
  });
  it("become text where the pull asks for it and only there", () => {
    const text = { timestamps: "text" } as const;
    assert.deepEqual(sqlServerType({ name: "datetime2", scale: 7 }, text), { kind: "utf8" });
    assert.deepEqual(sqlServerType({ name: "datetimeoffset", scale: 7 }, text), { kind: "utf8" });
    assert.deepEqual(sqlServerType({ name: "datetime2", scale: 6 }, text), { kind: "timestamp", unit: "us" });
  });
  it("are refused when nothing holds them exactly, or nobody knows them", () => {
    for (const name of ["sql_variant", "vector", "constructor", ""]) assert.equal(sqlServerType({ name }), undefined);
  });
  it("are written as T-SQL writes them", () => {
    assert.equal(sqlServerTypeText({ name: "decimal", precision: 38, scale: 10 }), "decimal(38,10)");
    assert.equal(sqlServerTypeText({ name: "nvarchar", length: "max" }), "nvarchar(max)");
    assert.equal(sqlServerTypeText({ name: "varbinary", length: 8000 }), "varbinary(8000)");
    assert.equal(sqlServerTypeText({ name: "datetime2", scale: 0 }), "datetime2(0)");
    assert.equal(sqlServerTypeText({ name: "int", precision: 10, scale: 0, length: 4 }), "int");
  });
});
