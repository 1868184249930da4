/** The unit file, as systemd itself reads and judges it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { UNIT } from "@sallyport/agent/src/install/layout.ts";
import { unitText } from "@sallyport/agent/src/install/unit.ts";
import type { Check } from "../suite.ts";

const analyze = (...args: string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8", timeout: 60_000 });

export async function checkUnit(check: Check, folder: string): Promise<void> {
  const file = join(folder, UNIT);
  await check("systemd finds nothing wrong with the unit", () => {
    // The program does not lie here; all else is as it is installed.
    writeFileSync(file, unitText({ account: "root" }).replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
    const { status, stderr } = analyze("verify", "--man=no", file);
    assert.deepEqual([status, stderr], [0, ""]);
  });
  const judged = (text: string) => {
    writeFileSync(file, text);
    return analyze("security", "--offline=true", "--no-pager", "--threshold=25", file);
  };
  await check("systemd calls it exposed to 2.5 at most", () => {
    const { status, stdout, stderr } = judged(unitText());
    assert.equal(status, 0, stdout + stderr);
  });
  await check("counter-example: a unit that confines nothing is called more exposed than that", () => {
    assert.notEqual(judged("[Service]\nExecStart=/bin/true\n").status, 0);
  });
}
