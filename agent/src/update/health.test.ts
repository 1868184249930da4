import assert from "node:assert/strict";
import { it } from "node:test";
import { whyUnhealthy } from "./health.ts";

const AT = "2027-02-03T04:05:06.000Z";
/** The process before: by a clock that was ahead, and was set right since. */
const BEFORE = "2027-02-03T09:00:00.000Z";
const later = "2027-02-03T04:05:07.000Z";
const status = {
  ...{ version: "1.1.0", at: later, startedAt: AT, channel: { state: "online" } },
  canary: { heardAt: later as string | null },
};
const why = (change: object): string | undefined =>
  whyUnhealthy(Buffer.from(JSON.stringify({ ...status, ...change })), "1.1.0", BEFORE);

it("healthy: this version, another process than before whatever the clock says, its channel up, something heard", () => {
  assert.equal(why({}), undefined);
  assert.equal(why({ startedAt: BEFORE }), "it did not start");
  assert.equal(why({ version: "1.0.0" }), "version 1.0.0 was started");
  assert.equal(why({ channel: { state: "offline", why: "no token" } }), "its control channel is down");
  assert.equal(why({ canary: { heardAt: null } }), "no canary has arrived");
  // The clock was set back while it started.
  assert.equal(why({ canary: { heardAt: "2027-02-03T04:00:00.000Z" } }), undefined);
  for (const text of [undefined, Buffer.from(""), Buffer.from("{}"), Buffer.from([0xff])])
    assert.equal(whyUnhealthy(text, "1.1.0", undefined), "it wrote no status");
});
