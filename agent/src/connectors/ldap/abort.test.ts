/** Aborts in the middle. What no directory should answer, and what a session makes of it: test/e2e/directory/failures. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { openDirectory } from "./open.ts";
import { startDirectory } from "./test-directory.ts";

const HOUR_MS = 3_600_000;
const PATIENT = { connectMs: HOUR_MS, signInMs: HOUR_MS, answerMs: HOUR_MS };

test("an abort while connecting or waiting ends both at once, with its reason", async (t) => {
  const { ldap, target } = await startDirectory(t);
  const stop = new AbortController();
  const streams: Socket[] = [];
  ldap.emulated.onMessage = ({ stream }) => {
    streams.push(stream);
    stop.abort(new SallyportError("limit.time", "over"));
    return "swallow";
  };
  await assert.rejects(openDirectory(target(), PATIENT, stop.signal), { code: "limit.time" });
  assert.equal(streams.length, 1);
  if (streams[0]?.closed !== true) await once(streams[0]!, "close");
  await assert.rejects(openDirectory(target(), PATIENT, stop.signal), { code: "limit.time" });
  assert.equal(streams.length, 1);
});
