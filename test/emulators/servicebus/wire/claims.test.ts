import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { createClaims, verifyToken } from "./claims.ts";

const NOW_MS = 1_700_000_000_000;
const KEYS = [{ name: "root key", key: "s+cr/t=" }];
const AUDIENCE = "sb://localhost:1234/slices";

function sas({
  resource = AUDIENCE,
  key = "s+cr/t=",
  name = "root key",
  expirySeconds = NOW_MS / 1000 + 60,
} = {}): string {
  const encoded = encodeURIComponent(resource);
  const signature = createHmac("sha256", key).update(`${encoded}\n${expirySeconds}`).digest("base64");
  return `SharedAccessSignature sr=${encoded}&sig=${encodeURIComponent(signature)}&se=${expirySeconds}&skn=${encodeURIComponent(name)}`;
}

function verify(text: string, type = "servicebus.windows.net:sastoken", entraToken?: (jwt: string) => boolean) {
  return verifyToken({ audience: AUDIENCE, type, text }, { keys: KEYS, entraToken }, NOW_MS)?.untilMs;
}

describe("a shared access signature", () => {
  test("for the entity or the whole namespace is good until its expiry", () => {
    assert.equal(verify(sas()), NOW_MS + 60_000);
    assert.equal(verify(sas({ resource: "sb://localhost:1234/" })), NOW_MS + 60_000);
  });

  const refused: [string, string][] = [
    ["signed with another key", sas({ key: "other" })],
    ["under an unknown name", sas({ name: "nobody" })],
    ["that has expired", sas({ expirySeconds: NOW_MS / 1000 })],
    ["with a longer life than was signed", sas().replace(/se=\d+/, `se=${NOW_MS / 1000 + 600}`)],
    ["for another entity", sas({ resource: "sb://localhost:1234/other" })],
    ["for a part of the entity's name", sas({ resource: "sb://localhost:1234/sli" })],
    ["for something below the entity", sas({ resource: `${AUDIENCE}/$DeadLetterQueue` })],
    ["with broken escapes", sas().replace("sig=", "sig=%")],
    ["without a signature", sas().replace("sig=", "gis=")],
    ["that is empty", ""],
    ["of another scheme", sas().replace("SharedAccessSignature", "Bearer")],
  ];
  for (const [name, token] of refused) test(`${name} is refused`, () => assert.equal(verify(token), undefined));
});

describe("an Entra token", () => {
  const jwt = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;

  test("is good as long as the callback and its own expiry say", () => {
    const good = jwt({ exp: NOW_MS / 1000 + 5 });
    assert.equal(
      verify(good, "jwt", (text) => text === good),
      NOW_MS + 5000,
    );
    assert.equal(
      verify(good, "jwt", () => false),
      undefined,
    );
    assert.equal(
      verify(jwt({ exp: NOW_MS / 1000 - 5 }), "jwt", () => true),
      undefined,
    );
    assert.equal(
      verify("opaque", "jwt", () => true),
      NOW_MS + 3_600_000,
    );
  });

  test("is refused without a callback, and so is an unknown type", () => {
    assert.equal(verify(jwt({}), "jwt"), undefined);
    assert.equal(
      verify(sas(), "something else", () => true),
      undefined,
    );
  });
});

test("claims cover the entity and what is below it, in time", () => {
  const claims = createClaims();
  claims.grant("sb://host/Topic/Subscriptions/one/$management", { rights: ["Listen"], untilMs: NOW_MS });
  const before = NOW_MS - 1;
  const listen = (address: string, nowMs = before) => claims.cover(address, ["Listen"], nowMs);
  assert.equal(listen("topic/subscriptions/one"), true);
  assert.equal(listen("topic/Subscriptions/one/$DeadLetterQueue/$management"), true);
  assert.equal(listen("topic/subscriptions/one", NOW_MS), false);
  assert.equal(listen("topic/subscriptions/oneself"), false);
  assert.equal(listen("topic"), false);
});

test("claims cover what they are a right to", () => {
  const claims = createClaims();
  claims.grant("sb://host/q", { rights: ["Send"], untilMs: NOW_MS });
  assert.equal(claims.cover("q", ["Send"], NOW_MS - 1), true);
  assert.equal(claims.cover("q", ["Listen"], NOW_MS - 1), false);
  assert.equal(claims.cover("q", ["Send", "Listen"], NOW_MS - 1), true, "one of them is enough");
});

test("a policy gives its own rights, on its own entity and below", () => {
  const rules = { keys: [{ ...KEYS[0]!, rights: ["Listen"] as const, entity: "Slices" }], entraToken: undefined };
  const ask = (audience: string, resource: string) =>
    verifyToken({ audience, type: "servicebus.windows.net:sastoken", text: sas({ resource }) }, rules, NOW_MS);
  assert.deepEqual(ask(AUDIENCE, AUDIENCE)?.rights, ["Listen"]);
  const below = `${AUDIENCE}/Subscriptions/s`;
  assert.deepEqual(ask(below, AUDIENCE)?.rights, ["Listen"]);
  assert.deepEqual(ask(below, below)?.rights, ["Listen"]);
  const other = "sb://localhost:1234/other";
  assert.equal(ask(other, other), undefined);
  assert.equal(ask(AUDIENCE, "sb://localhost:1234/"), undefined, "signed for more than the policy's entity");
});
