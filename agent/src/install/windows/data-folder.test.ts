import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ConfigError } from "../../config-error.ts";
import { dataFault, ensureDataFolder, type Machine } from "./data-folder.ts";
import { type Answer, answerNative, parseAnswer, type Question } from "./native-child.ts";
import { dueSddl } from "./rights.ts";
import { parseSddl, RIGHTS } from "./sddl.ts";

let folder: string;
let installed: Machine["installed"];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-data-"));
  installed = { data: join(folder, "Sallyport"), state: join(folder, "Sallyport", "state") };
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Windows that keeps lists, of folders that are made here. */
function windows(lists = new Map<string, string>()) {
  const asked: Question["ask"][] = [];
  const answer = (question: Question): Answer => {
    asked.push(question.ask);
    switch (question.ask) {
      case "lists":
        return { lists: question.paths.map((path) => lists.get(path) ?? "O:BAD:AI(A;ID;FA;;;BA)") };
      case "makeFolder": {
        if (existsSync(question.path)) return { isNew: false };
        mkdirSync(question.path);
        lists.set(question.path, question.sddl);
        return { isNew: true };
      }
      default:
        return { failed: "not asked here" };
    }
  };
  const machine: Machine = { isWindows: true, installed, ask: answer, isLink: () => false };
  return { machine, lists, asked };
}

const CLOSED = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
const fault = (sddl: string, isLink = false) => dataFault("x", { readSddl: () => sddl }, () => isLink);

test("a folder in ProgramData is believed only where administrators made it and nobody else was ever in it", () => {
  for (const [sddl, says] of [
    // What a person's new folder there has, and what an administrator's has.
    [
      "O:S-1-5-21-1-2-3-1001D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;FA;;;S-1-5-21-1-2-3-1001)",
      /belongs to S-1-5-21/,
    ],
    ["O:BAD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)", /takes over/],
    ["O:S-1-5-21-1-2-3-1001D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", /belongs to/],
    ["D:PAI(A;OICI;FA;;;BA)", /belongs to/],
    [`${CLOSED}(A;OICI;0x1200a9;;;BU)`, /open to S-1-5-32-545/],
    [`${CLOSED}(A;OICIIO;GA;;;CO)`, /open to S-1-3-0/],
  ] as const)
    assert.match(fault(sddl) ?? "", says, sddl);
  assert.equal(fault(CLOSED, true), "is a link");
  assert.throws(() => fault("O:BAD:NO_ACCESS_CONTROL"), /not an access list/);
  for (const sddl of [CLOSED, dueSddl(RIGHTS.read), dueSddl(RIGHTS.read).replace("O:BA", "O:SY")])
    assert.equal(fault(sddl), undefined, sddl);
});

test("a verb that writes makes the folder with its list, before anything is in it, and takes its own again", () => {
  const { machine, lists, asked } = windows();
  ensureDataFolder({ root: installed.state }, machine);
  assert.equal(lists.get(installed.data), dueSddl(RIGHTS.read));
  assert.ok(!existsSync(installed.state));
  ensureDataFolder({ root: installed.state }, machine);
  assert.deepEqual(asked, ["makeFolder", "makeFolder", "lists"]);
});

test("one that somebody made before is refused by name, with what to do", () => {
  mkdirSync(installed.data);
  const { machine } = windows();
  const isRefused = (error: unknown) =>
    error instanceof ConfigError && error.message.includes(installed.data) && error.message.includes("rename it");
  assert.throws(() => ensureDataFolder({ root: installed.state }, machine), isRefused);
  const linked = { ...windows(new Map([[installed.data, CLOSED]])).machine };
  ensureDataFolder({ root: installed.state }, linked);
  assert.throws(() => ensureDataFolder({ root: installed.state }, { ...linked, isLink: () => true }), /is a link/);
});

test("an agent's folder elsewhere is its maker's where it is new, and left as it is where it is not", () => {
  const { machine, lists } = windows();
  const root = join(folder, "demo", "agent");
  ensureDataFolder({ root }, machine);
  const { isProtected, aces } = parseSddl(lists.get(root) ?? "");
  assert.ok(isProtected);
  assert.deepEqual(
    aces.map(({ sid }) => sid),
    ["S-1-5-18", "S-1-5-32-544", "S-1-3-4"],
  );
  lists.clear();
  ensureDataFolder({ root }, machine);
  assert.equal(lists.size, 0);
});

test("elsewhere than on Windows nothing is made, and Windows is not asked", () => {
  const { machine, asked } = windows();
  ensureDataFolder({ root: installed.state }, { ...machine, isWindows: false });
  assert.deepEqual([asked, existsSync(installed.data)], [[], false]);
});

test("where Windows cannot be asked, nothing is written", () => {
  const { machine } = windows();
  const ask = () => parseAnswer('{"failed":"CreateDirectory failed with 1307"}');
  assert.throws(() => ensureDataFolder({ root: installed.state }, { ...machine, ask }), /1307/);
  const wrong = () => ({ bytes: "" });
  assert.throws(() => ensureDataFolder({ root: installed.state }, { ...machine, ask: wrong }), /not an access list/);
});

test("a link is seen as one", async () => {
  symlinkSync(folder, installed.data);
  assert.equal(dataFault(installed.data, { readSddl: () => CLOSED }), "is a link");
  // Here there is no Windows to ask: that is an answer, too.
  assert.ok("failed" in (await answerNative(JSON.stringify({ ask: "makeFolder", path: folder, sddl: CLOSED }))));
  assert.ok("failed" in (await answerNative(JSON.stringify({ ask: "token" }))));
});
