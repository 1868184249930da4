import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../config-error.ts";
import type { Answer, Ask } from "../install/windows/native-child.ts";
import { dueSddl } from "../install/windows/rights.ts";
import { RIGHTS } from "../install/windows/sddl.ts";
import { judgedFor } from "../install/windows/trust.ts";
import { changeableFiles, ownFaults } from "./files-windows.ts";

const POLICY = "C:\\ProgramData\\Sallyport\\config\\policy.yaml";
const judged = judgedFor([POLICY], { real: (path) => path });
/** As Windows has it: everybody may make files and folders there. */
const PROGRAM_DATA =
  "O:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;DCLCRPCR;;;BU)";

function windows(more: Readonly<Record<string, string>> = {}, token: Answer = { isAdministrators: false }): Ask {
  const all: Readonly<Record<string, string>> = { "C:\\": PROGRAM_DATA, "C:\\ProgramData": PROGRAM_DATA, ...more };
  return (asked) =>
    asked.ask === "lists" ? { lists: asked.paths.map((path) => all[path] ?? dueSddl(RIGHTS.read)) } : token;
}

test("an installation's policy is out of the reach of the service and of everybody else", () => {
  assert.deepEqual(ownFaults([POLICY], windows(), judged), []);
});

test("a policy that the agent's own account may change is told, as is a folder in which anybody may put one", () => {
  assert.match(changeableFiles([POLICY], windows({ [POLICY]: dueSddl(RIGHTS.change) }), judged).join(), /S-1-5-80-/);
  const folder = "C:\\ProgramData\\Sallyport\\config";
  assert.match(
    changeableFiles([POLICY], windows({ [folder]: PROGRAM_DATA }), judged).join(),
    /config can be changed by S-1-5-32-545/,
  );
  const own = "O:S-1-5-21-1-2-3-1001D:PAI(A;OICI;FA;;;SY)";
  assert.match(
    changeableFiles([POLICY], windows({ "C:\\ProgramData\\Sallyport": own }), judged).join(),
    /belongs to S-1-5-21/,
  );
});

test("an administrator, or a token of which nothing is known, does not serve", () => {
  assert.match(ownFaults([POLICY], windows({}, { isAdministrators: true }), judged).join(), /administrator/);
  assert.match(ownFaults([POLICY], windows({}, { bytes: "" }), judged).join(), /administrator/);
  const failing: Ask = () => {
    throw new ConfigError("Windows could not be asked");
  };
  assert.throws(() => ownFaults([POLICY], failing, judged), ConfigError);
});
