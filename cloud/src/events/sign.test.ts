import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { drawSecret, signatureHeaders, signingSecrets, webhookSecrets } from "./sign.ts";

describe("signatures of webhooks", () => {
  it("are those of Standard Webhooks: its published example", () => {
    // https://github.com/standard-webhooks/standard-webhooks, the reference libraries' own test
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const at = new Date(1_614_265_330_000);
    const headers = signatureHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}', [secret], at);
    assert.deepEqual(headers, {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });
  it("one for each secret, while the one before is valid", () => {
    const [now, before] = [drawSecret(randomBytes), drawSecret(randomBytes)];
    const secrets = webhookSecrets.parse([
      { secret: now, until: null },
      { secret: before, until: "2026-01-02T00:00:00.000Z" },
    ]);
    assert.deepEqual(signingSecrets(secrets, new Date("2026-01-01T23:59:59Z")), [now, before]);
    assert.deepEqual(signingSecrets(secrets, new Date("2026-01-02T00:00:00Z")), [now]);
    const both = signatureHeaders("a", "{}", [now, before], new Date(0))["webhook-signature"] ?? "";
    assert.deepEqual(both.split(" "), [
      signatureHeaders("a", "{}", [now], new Date(0))["webhook-signature"],
      signatureHeaders("a", "{}", [before], new Date(0))["webhook-signature"],
    ]);
  });
});
