import assert from "node:assert/strict";
import { test } from "node:test";
import { isWithin, mayBeWithin, withinOf } from "./place.ts";

/** What Windows holds for one name [MS-ADTS 6.5]: the owner's, and another spelling. */
const SAME = [
  ...[
    ["Geheim", "GEHEIM"],
    ["Geheim", "Ge\u00adheim"],
    ["Geheim", "Ge\\C2\\ADheim"],
    ["Geheim", "Ge\u200dheim"],
  ],
  ...[
    ["Geheim", "Gehéim"],
    ["Geheim", "Ｇｅｈｅｉｍ"],
    ["Geheim", "Geh\ue000eim"],
    ["Geheim", "Geh\u3164eim"],
  ],
  ...[
    ["Lon", "Løn"],
    ["Lodz", "Łódź"],
    ["n", "ŉ"],
    ["aerlig", "Ærlig"],
    ["Strasse", "Straße"],
    ["thing", "Þing"],
    ["Dorde", "Đorđe"],
  ],
  ...[
    ["Irmak", "ırmak"],
    ["カメラ", "かめら"],
    ["カメラ", "ｶﾒﾗ"],
    ["a b", "a   b"],
    ["2", "²"],
  ],
] as const;
const OTHERS = [
  ...[
    ["Geheim", "Gehetm"],
    ["人事", "人"],
    ["Кадры", "Кадр"],
    ["a-b", "a_b"],
    ["1", "2"],
    ["ab", "a b"],
    ["😀", "😁"],
  ],
] as const;

test("a denial holds for each spelling that a directory takes for its base; a rule that allows does not", () => {
  for (const [owners, asked] of SAME) {
    const base = `OU=${owners},DC=corp`;
    const within = `CN=kari,OU=${asked},DC=corp`;
    assert.equal(mayBeWithin(within, base), true, `${owners} ${JSON.stringify(asked)}`);
    assert.equal(mayBeWithin(`CN=kari,${base}`, `OU=${asked},DC=corp`), true, `${JSON.stringify(asked)} ${owners}`);
    if (owners.toUpperCase() === asked.toUpperCase() || owners.toLowerCase() === asked.toLowerCase()) continue;
    assert.equal(isWithin(within, base), false);
    assert.equal(withinOf(base)(within), false);
  }
});

test("and for no other name", () => {
  for (const [owners, asked] of OTHERS) {
    assert.equal(mayBeWithin(`CN=kari,OU=${asked},DC=corp`, `OU=${owners},DC=corp`), false, `${owners} ${asked}`);
  }
});
