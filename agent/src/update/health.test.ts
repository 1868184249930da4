import assert from "node:assert/strict";
import { it } from "node:test";
import { whyUnhealthy } from "./health.ts";

const AT = "2027-02-03T04:05:06.000Z";
const SINCE = Date.parse(AT);
const later = new Date(SINCE + 1000).toISOString();
const status = {
  ...{ version: "1.1.0", at: later, startedAt: AT, channel: { state: "online" } },
  canary: { heardAt: later as string | null },
};
const why = (change: object): string | undefined =>
  whyUnhealthy(Buffer.from(JSON.stringify({ ...status, ...change })), "1.1.0", SINCE);

it("healthy: this version, started since, its channel up, something heard since", () => {
  assert.equal(why({}), undefined);
  const before = new Date(SINCE - 1).toISOString();
  assert.equal(why({ startedAt: before }), "it did not start");
  assert.equal(why({ version: "1.0.0" }), "version 1.0.0 was started");
  assert.equal(why({ channel: { state: "offline", why: "no token" } }), "its control channel is down");
  assert.equal(why({ canary: { heardAt: null } }), "no canary has arrived");
  assert.equal(why({ canary: { heardAt: before } }), "no canary has arrived");
  for (const text of [undefined, Buffer.from(""), Buffer.from("{}"), Buffer.from([0xff])])
    assert.equal(whyUnhealthy(text, "1.1.0", SINCE), "it wrote no status");
});
