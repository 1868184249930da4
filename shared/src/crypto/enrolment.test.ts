import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sha256, utf8 } from "./bytes.ts";
import { answerMac, codeKey, drawCode, formatCode, parseCode, requestMac, sameMac } from "./enrolment.ts";

const CHECKED = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

describe("an enrolment code", () => {
  const code = drawCode();
  const text = formatCode(code);
  it("looks as documented, and is read back", () => {
    assert.match(text, /^[0-9A-Z]{4}-[0-9A-Z]{4}\.(?:[0-9A-Z]{4}-){5}[0-9A-Z*~$=]$/);
    assert.deepEqual(parseCode(text), code);
  });
  it("is drawn anew each time, in the alphabet without I, L, O and U", () => {
    const other = drawCode();
    assert.notEqual(other.secret, code.secret);
    assert.notEqual(other.codeId, code.codeId);
    assert.match(`${other.codeId}${other.secret}`, /^[0-9A-HJKMNP-TV-Z]{28}$/);
  });
  it("forgives case, separators, and what looks like 1 and 0", () => {
    const ones = { codeId: "10101010", secret: "01".repeat(10) };
    const typed = formatCode(ones);
    for (const spelt of [
      typed.toLowerCase(),
      typed.replace(/[-.]/g, ""),
      typed.replace(/[-.]/g, " "),
      ` ${typed}\n`,
      `${typed.slice(0, -1).replace(/1/g, "l").replace(/0/g, "o")}${typed.at(-1)}`,
      `${typed.slice(0, -1).replace(/1/g, "I").replace(/0/g, "O")}${typed.at(-1)}`,
    ]) {
      assert.deepEqual(parseCode(spelt), ones, spelt);
    }
  });
  it("with any one symbol wrong is refused, the check symbol too", () => {
    const symbols = text.replace(/[-.]/g, "");
    for (let at = 0; at < symbols.length; at++) {
      const choice = at === symbols.length - 1 ? CHECKED : CHECKED.slice(0, 32);
      for (const symbol of choice) {
        if (symbol === symbols[at]) continue;
        assert.equal(parseCode(`${symbols.slice(0, at)}${symbol}${symbols.slice(at + 1)}`), undefined);
      }
    }
  });
  it("with two neighbours exchanged is refused", () => {
    const symbols = text.replace(/[-.]/g, "").slice(0, -1);
    for (let at = 0; at + 1 < symbols.length; at++) {
      const [a, b] = [symbols[at]!, symbols[at + 1]!];
      if (a === b) continue;
      assert.equal(parseCode(`${symbols.slice(0, at)}${b}${a}${symbols.slice(at + 2)}${text.at(-1)}`), undefined);
    }
  });
  it("cut, lengthened, empty or with foreign symbols is refused", () => {
    for (const typed of [
      "",
      text.slice(0, -1),
      `${text}0`,
      text.replace(/.$/, "!"),
      `é${text.slice(1)}`,
      `U${text.slice(1)}`,
    ])
      assert.equal(parseCode(typed), undefined);
  });
});

describe("the MACs", () => {
  const key = codeKey("0".repeat(20));
  const [body, answer] = [utf8("body"), utf8("answer")];
  it("their key is the SHA-256 of the secret", () => assert.deepEqual(key, sha256(utf8("0".repeat(20)))));
  it("a request's MAC binds key and body", () => {
    const mac = requestMac(key, body);
    assert.ok(sameMac(mac, requestMac(codeKey("0".repeat(20)), utf8("body"))));
    assert.ok(!sameMac(mac, requestMac(codeKey(`1${"0".repeat(19)}`), body)));
    assert.ok(!sameMac(mac, requestMac(key, utf8("bodz"))));
  });
  it("an answer's MAC binds key, code, request and answer, and is no request's MAC", () => {
    const mac = answerMac(key, "AAAAAAAA", body, answer);
    assert.ok(sameMac(mac, answerMac(key, "AAAAAAAA", body, answer)));
    for (const other of [
      answerMac(codeKey("1"), "AAAAAAAA", body, answer),
      answerMac(key, "AAAAAAAB", body, answer),
      answerMac(key, "AAAAAAAA", utf8("bodz"), answer),
      answerMac(key, "AAAAAAAA", body, utf8("answes")),
      // Bytes moved from one input to the next.
      answerMac(key, "AAAAAAA", utf8("Abody"), answer),
      answerMac(key, "AAAAAAAA", utf8("bodya"), utf8("nswer")),
      requestMac(key, answer),
    ]) {
      assert.ok(!sameMac(mac, other));
    }
  });
});
