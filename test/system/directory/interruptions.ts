/**
 * A controller that goes away in the middle of a page, hangs, comes back, or comes back as another: each run ends with a clear
 * error or says that it read everything anew, asks nothing on a second connection, and the next one leaves no gap.
 */
import assert from "node:assert/strict";
import { connectorWithin } from "@sallyport/agent/src/connectors/ldap/index.ts";
import { DEADLINES, type DirectoryTarget } from "@sallyport/agent/src/connectors/ldap/target.ts";
import { createRecorder, type RecorderOptions } from "@sallyport/agent/src/connectors/mssql/test-output.ts";
import { adSearch } from "@sallyport/shared/schema/directory-operations.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { startTap, type Tap } from "../../emulators/ldap/tap.ts";
import type { Check } from "../suite.ts";
import type { Controller } from "./controller.ts";
import { ATTRIBUTES, byGuid, changes, everybody, fold, GRANT, type Row, sorted, WAYS } from "./following.ts";
import { ldapModify } from "./ldap-tools.ts";
import { STAFF, userDn } from "./people.ts";
import { targetOf } from "./sign-ins.ts";

/** Of answers: behind the sign-in and the schema, and before the end of a search for everybody. */
const MIDDLE_BYTES = 300_000;
/** How long a controller that hangs is waited for here; nothing but that ends such a run. */
const ANSWER_MS = 20_000;
const HOUR_MS = 3_600_000;

interface Ended {
  /** `whole` where there was no error. */
  readonly code: string;
  readonly rows: readonly Row[];
}

/** A search for everybody, its rows handed on some kilobytes at a time. */
async function search(target: DirectoryTarget, options: RecorderOptions = {}, deadlines = {}): Promise<Ended> {
  const recorder = createRecorder({ batchBytes: 16 * 1024, ...options });
  const operation = adSearch.parse({ op: "ad.search", base: STAFF, classes: ["user"], attributes: ATTRIBUTES });
  const connector = connectorWithin({ ...DEADLINES, ...deadlines });
  const never = new AbortController().signal;
  const { rows } = recorder;
  return connector(target, operation, GRANT, DEFAULT_LIMITS, recorder, never).then(
    () => ({ code: "whole", rows }),
    (error) => ({ code: String(error.code ?? error), rows }),
  );
}

export async function checkInterruptions(check: Check, controller: Controller): Promise<void> {
  const tap = await startTap(636);
  try {
    await checkSearches(check, controller, tap);
    await checkFollowers(check, controller, tap);
  } finally {
    await tap.close();
  }
}

async function checkSearches(check: Check, controller: Controller, tap: Tap): Promise<void> {
  const direct = targetOf(controller, "required", "simple");
  const target = { ...direct, port: tap.port };
  const all = await everybody(direct);
  /** Some of the rows, and nothing that is not a row of the whole. */
  const isPart = ({ rows }: Ended): void => {
    assert.ok(rows.length > 0 && rows.length < all.length, `${rows.length} of ${all.length} rows`);
    const whole = new Set(all.map((row) => JSON.stringify(row)));
    assert.ok(rows.every((row) => whole.has(JSON.stringify(row))));
  };
  /** An error, on one connection; and the next run has everybody. */
  const isClear = async (ended: Ended, code: string, connections: number): Promise<void> => {
    assert.deepEqual([ended.code, tap.connections - connections], [code, 1]);
    const next = await search(direct);
    assert.deepEqual([next.code, sorted(byGuid(next.rows))], ["whole", all]);
  };

  await check(
    "killed in the middle of a page, a controller leaves connection.lost and some rows; the next run is whole",
    async () => {
      const { connections } = tap;
      const held = tap.hold(MIDDLE_BYTES);
      const ended = search(target);
      await Promise.race([held, ended]);
      await controller.kill();
      tap.release();
      const run = await ended;
      await controller.start();
      isPart(run);
      await isClear(run, "connection.lost", connections);
    },
  );
  await check(
    "hanging in the middle of a page, it is given up by the deadline for an answer, and asked nothing more",
    async () => {
      const { connections } = tap;
      const held = tap.hold(MIDDLE_BYTES);
      const ended = search(target, {}, { connectMs: HOUR_MS, signInMs: HOUR_MS, answerMs: ANSWER_MS });
      await Promise.race([held, ended]);
      controller.freeze();
      tap.release();
      const run = await ended;
      controller.thaw();
      isPart(run);
      await isClear(run, "directory.timeout", connections);
    },
  );
  await check("hanging from the beginning, it is given up by the deadline for connecting", async () => {
    const { connections } = tap;
    controller.freeze();
    const ended = await search(target, {}, { connectMs: 2_000, signInMs: HOUR_MS, answerMs: HOUR_MS });
    controller.thaw();
    assert.equal(ended.rows.length, 0);
    await isClear(ended, "connection.tls", connections);
  });
  await check("restarted while rows are slow to go on, it is not connected to again", async () => {
    const { connections } = tap;
    let flushes = 0;
    const beforeFlush = async (): Promise<void> => {
      flushes += 1;
      if (flushes !== 3) return;
      await controller.kill();
      await controller.start();
    };
    const ended = await search(target, { beforeFlush });
    isPart(ended);
    await isClear(ended, "connection.lost", connections);
  });
}

/** Who follows changes, what they hold, and up to where. */
async function checkFollowers(check: Check, controller: Controller, tap: Tap): Promise<void> {
  const followers = WAYS.map((way) => ({
    ...{ way, target: targetOf(controller, "required", "simple", way.user) },
    ...{ to: "", held: new Map<string, Row>() },
  }));
  type Follower = (typeof followers)[number];
  const follow = async (follower: Follower): Promise<readonly unknown[]> => {
    const { way, target, to, held } = follower;
    const ran = await changes(target, { by: way.by, ...(to === "" ? {} : { from: to }) });
    [follower.held, follower.to] = [fold(held, ran), ran.to];
    assert.deepEqual(sorted(follower.held), await everybody(target));
    return ran.warnings.map(({ code, facts }) => ("why" in facts ? facts.why : code));
  };
  const change = (index: number, word: string): Promise<void> =>
    ldapModify(controller, [
      `dn: ${userDn(index)}\nchangetype: modify\nreplace: department\ndepartment: ${word}\n`,
      `dn: CN=${word},${STAFF}\nchangetype: add\nobjectClass: user\nsAMAccountName: ${word}\n`,
    ]);
  // Who was never shown anything deleted counts as one that may not see it.
  await ldapModify(controller, [`dn: ${userDn(4_998)}\nchangetype: delete\n`]);
  for (const follower of followers) await follow(follower);
  for (const follower of followers) {
    const { way, target, to } = follower;
    await check(
      `changes by ${way.name}: killed in the middle of a run, the next goes on from the same place`,
      async () => {
        await change(500, `lost-${way.by}-${way.reconciles}`);
        const { connections } = tap;
        const held = tap.hold(MIDDLE_BYTES);
        const run = changes({ ...target, port: tap.port }, { by: way.by, from: to, reconcile: true }).then(
          () => "whole",
          ({ code }) => code,
        );
        await Promise.race([held, run]);
        await controller.kill();
        tap.release();
        const code = await run;
        await controller.start();
        assert.deepEqual([code, tap.connections - connections], ["connection.lost", 1]);
        assert.deepEqual(await follow(follower), way.reconciles ? ["directory.reconciled"] : []);
      },
    );
  }
  const replaced = async (why: string, put: () => Promise<void>): Promise<void> => {
    for (const follower of followers) await follow(follower);
    await put();
    for (const follower of followers) assert.deepEqual(await follow(follower), [why], follower.way.name);
    // From then on as before.
    await change(502, `after-${why}`);
    for (const follower of followers) {
      assert.deepEqual(await follow(follower), follower.way.reconciles ? ["directory.reconciled"] : []);
    }
  };
  await controller.keep();
  await check("put back as it was before, with lower numbers, it is read anew, and the run says why", async () => {
    await change(501, "forgotten");
    await replaced("olderController", () => controller.putBack());
  });
  await check(
    "replaced by another that never had the last changes, it is read anew, and the run says why",
    async () => {
      await change(503, "never-known");
      await replaced("otherController", () => controller.putBack("as another"));
    },
  );
}
