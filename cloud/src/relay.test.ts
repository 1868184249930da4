import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  connectUrl,
  listenUrl,
  parseConnectionString,
  requireConnectionString,
  sharedAccessSignature,
} from "./relay.ts";

describe("a relay connection string", () => {
  it("gives host, rule and key; a key may hold = signs", () => {
    const text =
      "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=a+b/c=;EntityPath=x";
    assert.deepEqual(parseConnectionString(text), {
      host: "contoso.servicebus.windows.net",
      keyName: "listen",
      key: "a+b/c=",
    });
  });
  it("without its parts is none, and the setting is named without its value", () => {
    for (const text of [
      "",
      "contoso.servicebus.windows.net",
      "Endpoint=https://x/;SharedAccessKeyName=n;SharedAccessKey=mark-4711",
      "Endpoint=sb://x/;SharedAccessKeyName=n",
      "Endpoint=sb://x/;SharedAccessKey=mark-4711",
    ]) {
      assert.equal(parseConnectionString(text), undefined);
      assert.throws(
        () => requireConnectionString(text, "SALLYPORT_RELAY_LISTEN"),
        (error: Error & { code: string }) => {
          assert.equal(error.code, "settings.invalid");
          assert.match(error.message, /SALLYPORT_RELAY_LISTEN/);
          assert.doesNotMatch(error.message, /4711/);
          return true;
        },
      );
    }
  });
});

describe("a shared access signature", () => {
  it("is over the resource without a port, and the expiry, by the key's text", () => {
    // Made once with `openssl dgst -sha256 -hmac`.
    const rule = { host: "localhost:5671", keyName: "a rule", key: "c2VjcmV0" };
    const token = sharedAccessSignature(rule, "a-1", 1_800_000_000);
    assert.match(
      token,
      /^SharedAccessSignature sr=http%3A%2F%2Flocalhost%2Fa-1%2F&sig=[^&]+&se=1800000000&skn=a%20rule$/,
    );
    const signature = decodeURIComponent(/sig=([^&]+)/.exec(token)![1]!);
    assert.equal(signature, "BaMDDhXG7es8Y5fw3Z4gVwno4BBgy58Hy7DbAnG2spI=");
  });
});

it("addresses name path, action and id, and never a token", () => {
  assert.equal(listenUrl("h:1", "a-1"), "wss://h:1/$hc/a-1?sb-hc-action=listen");
  assert.equal(connectUrl("h", "a-1", "x y"), "wss://h/$hc/a-1?sb-hc-action=connect&sb-hc-id=x%20y");
});
