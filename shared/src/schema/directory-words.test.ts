import assert from "node:assert/strict";
import { test } from "node:test";
import { distinguishedName, requestedName } from "./directory-words.ts";

test("a request names nothing with letters that nobody sees, escaped or not; an owner may", () => {
  for (const unseen of [
    "Ge\u00adheim",
    "Ge\\C2\\ADheim",
    "Ge\u200dheim",
    "\u200cGeheim",
    "Geheim\u202e",
    "Ge\u2060heim",
  ]) {
    assert.equal(requestedName.safeParse(`OU=${unseen},DC=corp`).success, false, JSON.stringify(unseen));
    assert.equal(distinguishedName.safeParse(`OU=${unseen},DC=corp`).success, true, JSON.stringify(unseen));
  }
});

test("joiners of scripts that are written with them are letters like others", () => {
  for (const name of ["می\u200cخواهم", "क्\u200dष", "Müller, Åse".replace(",", "\\,")]) {
    assert.equal(requestedName.safeParse(`CN=${name},DC=corp`).success, true, name);
  }
});
