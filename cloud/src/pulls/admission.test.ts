import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { admit, inTurn } from "./admission.ts";

const bell = (tenant: string, pull: string) => ({ tenant, pull, run: "0000000000000-00000000" });

describe("in turn of the tenants", () => {
  it("one of each, then the second of each", () => {
    const items = ["a1", "a2", "a3", "b1", "c1", "b2"].map((name) => ({ tenant: name[0]!, name }));
    assert.deepEqual(
      inTurn(items).map(({ name }) => name),
      ["a1", "b1", "c1", "a2", "b2", "a3"],
    );
  });

  it("nobody is lost, a tenant's own order stays, and nobody waits for more than one of each other tenant per place", () => {
    const tenants = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 60 });
    fc.assert(
      fc.property(tenants, (names) => {
        const items = names.map((tenant, at) => ({ tenant, at }));
        const turned = inTurn(items);
        assert.deepEqual(
          turned.toSorted((x, y) => x.at - y.at),
          items,
        );
        const known = new Set(names).size;
        for (const [tenant, own] of Map.groupBy(turned, (item) => item.tenant)) {
          assert.deepEqual(
            own,
            items.filter((item) => item.tenant === tenant),
          );
          for (const [place, item] of own.entries()) assert.ok(turned.indexOf(item) < (place + 1) * known);
        }
      }),
    );
  });
});

describe("admission", () => {
  it("a site gets as many at once as its agents take, the next ones a round later", () => {
    const bells = ["p1", "p2", "p3", "p4", "p5"].map((pull) => bell("acme", pull));
    const rounds = admit(
      [...bells, bell("other", "q")],
      ({ pull }) => (pull === "p5" ? "office" : "plant"),
      (_, site) => (site === "plant" ? 2 : 1),
      () => 0,
    );
    assert.deepEqual(
      rounds.map((one) => [one.bell.pull, one.round]),
      [
        ["p1", 0],
        ["q", 0],
        ["p2", 0],
        ["p3", 1],
        ["p4", 1],
        ["p5", 0],
      ],
    );
  });

  it("what runs already takes a place of the first round", () => {
    const rounds = admit(
      ["p1", "p2", "p3", "p4"].map((pull) => bell("acme", pull)),
      () => "plant",
      () => 4,
      () => 3,
    );
    assert.deepEqual(
      rounds.map(({ round }) => round),
      [0, 1, 1, 1],
    );
  });

  it("a run is rung once, and sites of one name in two tenants are two", () => {
    const rounds = admit(
      [bell("acme", "p"), bell("acme", "p"), bell("other", "p")],
      () => "plant",
      () => 1,
      () => 0,
    );
    assert.deepEqual(
      rounds.map((one) => [one.bell.tenant, one.round]),
      [
        ["acme", 0],
        ["other", 0],
      ],
    );
  });

  it("where nothing is known of the site, nothing is held back", () => {
    const rounds = admit(
      [bell("acme", "p"), bell("acme", "q")],
      () => undefined,
      () => 0,
      () => 0,
    );
    assert.deepEqual(
      rounds.map(({ round }) => round),
      [0, 0],
    );
  });
});
