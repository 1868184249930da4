/** Wrong outcomes, planted into what this very suite has seen: were one not found, none of its checks would mean anything. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { BlobServiceClient } from "@azure/storage-blob";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { fetchRun } from "../../stack/pull.ts";
import { TENANT } from "../../stack/start.ts";
import type { Check } from "../suite.ts";
import { idsIn, lookAt } from "./observe.ts";
import { type Expected, type Outcome, outcomeFaults, rowFaults } from "./outcome.ts";
import { type Rig, ROWS } from "./rig.ts";

/** A run that was published with more than one part, after a fault; and one that failed. */
export interface Seen {
  readonly published: readonly [Outcome, Expected];
  readonly failed: readonly [Outcome, Expected];
}

export async function counterExamples(check: Check, rig: Rig, { published, failed }: Seen): Promise<void> {
  const [good, goodExpected] = published;
  const [bad, badExpected] = failed;
  const found = (seen: Outcome, expected: Expected, says: RegExp) => {
    const faults = outcomeFaults(seen, expected);
    assert.ok(
      faults.some((fault) => says.test(fault)),
      `found only: ${faults.join("; ") || "nothing"}`,
    );
  };

  await check("counter-example: a manifest that is written for the failed run is found", async () => {
    const { connectionString } = rig.storage;
    const container = BlobServiceClient.fromConnectionString(connectionString).getContainerClient("sallyport");
    const blob = container.getBlockBlobClient(`${TENANT}/${bad.run.pull}/manifests/000000000001.json`);
    await blob.upload("{}", 2);
    found(await lookAt(rig, bad.run, bad.said), badExpected, /has a manifest/);
    await blob.delete();
    assert.deepEqual(outcomeFaults(await lookAt(rig, bad.run, bad.said), badExpected), []);
  });
  await check("counter-example: a part that is left out, and one that is there twice, are found", async () => {
    const { parts } = await fetchRun(rig.stack.api, TENANT, { run: good.run, seconds: 0 }, join(rig.folder, "out"));
    assert.ok(parts.length > 1, "there is more than one part");
    assert.match(rowFaults(await idsIn(parts.slice(1)), ROWS).join(), /rows are lost/);
    assert.match(rowFaults(await idsIn([...parts, parts[0]!]), ROWS).join(), /rows came twice/);
  });
  await check(
    "counter-example: a journal without one of its lines, with another code or with a row's text, is found",
    () => {
      for (const index of good.journal.keys())
        found({ ...good, journal: good.journal.toSpliced(index, 1) }, goodExpected, /session/);
      const other: ErrorCode = "sql.syntax";
      const ends = bad.journal.map((line) => (line.event === "end" ? { ...line, code: other } : line));
      found({ ...bad, journal: ends }, badExpected, /ended with sql\.syntax/);
      found({ ...good, journalText: `${good.journalText}${rig.mark}` }, goodExpected, /must not/);
    },
  );
  await check("counter-example: the published run is no failed one, nor the other way round", () => {
    found(good, { ...goodExpected, end: "sql.failed" }, /parts of a failed run can be seen/);
    found(bad, { ...badExpected, end: "published" }, /rows are lost/);
    found(bad, { ...badExpected, end: "sql.timeout" }, /code is/);
  });
}
