import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FACTS, type FactName, type Facts, fitting } from "./facts.ts";

const NAMES = Object.keys(FACTS) as FactName[];

describe("facts", () => {
  it("of the right shape are kept", () => {
    const facts: Facts = {
      ...{ "sallyport.tenant": "contoso", "sallyport.run": "flights.9999999999999-0a1b2c3d", "sallyport.rows": 12 },
      ...{ "sallyport.code": "policy.denied", "sallyport.operation": "sql.table", "sallyport.complete": true },
    };
    assert.deepEqual(fitting(facts), facts);
  });

  it("of another shape, and those without a value, are left out", () => {
    assert.deepEqual(
      fitting({
        ...{
          "sallyport.tenant": "SELECT 1",
          "sallyport.code": "no.such",
          "sallyport.rows": -1,
          "sallyport.pull": undefined,
        },
        ...{ "sallyport.agent": "g".repeat(32), "sallyport.operation": "sql.table; DROP" },
      }),
      {},
    );
  });

  it("that the table does not have are left out, its prototype's names too", () => {
    assert.deepEqual(fitting({ "db.statement": "SELECT 1", constructor: 1, toString: 2 } as unknown as Facts), {});
  });

  it("never carry a text that holds anything but letters, digits, dots, dashes and underscores", () => {
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), fc.string({ unit: "binary" }), (name, text) => {
        for (const value of Object.values(fitting({ [name]: text }))) assert.match(String(value), /^[\w.-]{1,80}$/);
      }),
    );
  });
});
