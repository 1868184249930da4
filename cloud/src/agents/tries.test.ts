import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createTries } from "./tries.ts";

const wrong = async () => {
  throw new SallyportError("enrolment.refused", "Wrong.");
};

function tries() {
  const clock = { nowMs: 0 };
  const { limit } = createTries(() => clock.nowMs);
  const guess = async (keys: string[], count = 1) => {
    for (let index = 0; index < count; index++) await assert.rejects(limit(keys, wrong), { code: "enrolment.refused" });
  };
  return { clock, limit, guess };
}

const tooMany = { code: "enrolment.too_many_tries" };

describe("wrong tries", () => {
  it("ten in a minute are the most, and then even the right one waits", async () => {
    const { clock, limit, guess } = tries();
    await guess(["code"], 10);
    let asked = false;
    const right = async () => {
      asked = true;
    };
    await assert.rejects(limit(["code"], right), tooMany);
    assert.equal(asked, false);
    clock.nowMs = 60_000;
    await limit(["code"], right);
    assert.equal(asked, true);
  });
  it("count for each of their keys: an address that tries many codes, a code tried from many addresses", async () => {
    const { limit, guess } = tries();
    for (let index = 0; index < 10; index++) await guess([`code ${index}`, "address"]);
    await assert.rejects(limit(["another code", "address"], wrong), tooMany);
    await guess(["code 1", "another address"]);
  });
  it("count nothing for an address that is not known: it is no one's", async () => {
    const { limit, guess } = tries();
    for (let index = 0; index < 12; index++) await guess([`code ${index}`, ""]);
    await limit(["a right one", ""], async () => undefined);
  });
  it("are refusals only: a good request or a fault of ours counts nothing", async () => {
    const { limit, guess } = tries();
    const broken = async () => {
      throw new SallyportError("storage.failed", "Ours.");
    };
    for (let index = 0; index < 20; index++) {
      await limit(["code"], async () => undefined);
      await assert.rejects(limit(["code"], broken), { code: "storage.failed" });
    }
    await guess(["code"], 10);
    await assert.rejects(limit(["code"], wrong), tooMany);
  });
  it("are forgotten one by one as their minute passes", async () => {
    const { clock, limit, guess } = tries();
    for (let index = 0; index < 10; index++) {
      clock.nowMs = index * 1000;
      await guess(["code"]);
    }
    await assert.rejects(limit(["code"], wrong), tooMany);
    clock.nowMs = 60_000;
    await guess(["code"]);
    await assert.rejects(limit(["code"], wrong), tooMany);
  });
});
