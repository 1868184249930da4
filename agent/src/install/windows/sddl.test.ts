import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maskFor, parseSddl, RIGHTS, sddlOf } from "./sddl.ts";
import { ADMINISTRATORS_SID, SYSTEM_SID, serviceSid } from "./sid.ts";

const service = serviceSid("Sallyport");

describe("access lists", () => {
  it("are written protected, Administrators' own, an entry each", () => {
    const text = sddlOf([
      { sid: SYSTEM_SID, mask: RIGHTS.all, inherit: "OICI" },
      { sid: service, mask: RIGHTS.read, inherit: "" },
    ]);
    assert.equal(text, `O:BAD:PAI(A;OICI;0x1f01ff;;;S-1-5-18)(A;;0x1200a9;;;${service})`);
    const { isProtected, owner } = parseSddl(text);
    assert.deepEqual([isProtected, owner], [true, ADMINISTRATORS_SID]);
  });

  it("are read as Windows writes them, by names, numbers and inherited", () => {
    const acl = parseSddl(
      `O:S-1-5-21-1-2-3-1000G:BAD:AI(A;OICIID;FA;;;SY)(A;ID;FRFX;;;BU)(A;OICIIOID;GA;;;CO)(A;;0x1301bf;;;${service})`,
    );
    assert.equal(acl.isProtected, false);
    assert.equal(acl.owner, "S-1-5-21-1-2-3-1000");
    assert.equal(maskFor(acl, SYSTEM_SID), RIGHTS.all);
    assert.equal(maskFor(acl, "S-1-5-32-545"), 0x1200a9);
    assert.equal(maskFor(acl, service), RIGHTS.change);
    // For what is in the folder only.
    assert.equal(maskFor(acl, "S-1-3-0"), 0);
    assert.equal(maskFor(acl, "S-1-5-11"), 0);
  });

  it("give everything where a right is not known, nothing where it is denied", () => {
    assert.equal(maskFor(parseSddl("D:(A;;QQ;;;WD)"), "S-1-1-0"), 0xffffffff);
    assert.equal(maskFor(parseSddl("D:(A;;F;;;WD)"), "S-1-1-0"), 0xffffffff);
    assert.equal(maskFor(parseSddl("D:P(D;;FA;;;WD)"), "S-1-1-0"), 0);
    // Types that a condition or an object restricts: more than was said is safer than less.
    assert.equal(maskFor(parseSddl("D:(XA;;FR;;;WD)"), "S-1-1-0"), 0x120089);
  });

  it("are refused where there is none, or something else", () => {
    for (const text of [
      "",
      "O:BA",
      "D:NO_ACCESS_CONTROL",
      "D:P(A;;FA;;;SY",
      "D:(A;FA;SY)",
      "D:(A;;FA;;;SY)x",
      "D:(A;;FA;;;SY)x(A;;FA;;;SY)",
    ])
      assert.throws(() => parseSddl(text), /not an access list/, text);
  });

  it("let a service neither rewrite its rights nor remove what is not its own from its folder", () => {
    const [rewrite, own, removeAnything, remove] = [0x40000, 0x80000, 0x40, 0x10000];
    for (const mask of [RIGHTS.change, RIGHTS.read]) assert.equal(mask & (rewrite | own | removeAnything), 0);
    assert.equal(RIGHTS.read & (remove | 0x116), 0);
  });
});
