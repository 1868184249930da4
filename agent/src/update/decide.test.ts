/** Which release may be applied when, as properties over all that is said of releases and by owners. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RINGS } from "@sallyport/shared/release/manifest.ts";
import { compareVersions } from "@sallyport/shared/release/version.ts";
import fc from "fast-check";
import { decide, type Facts, newestOf, REASONS, type Release, type Wish } from "./decide.ts";

const NOW = new Date("2027-02-03T23:30:00Z");
const SECONDS = NOW.getTime() / 1000;
const ORIGIN = "https://sallyport.example";

const version = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)).map((numbers) => numbers.join("."));
const ring = fc.constantFrom(...RINGS);
const channel = fc.constantFrom("stable" as const, "preview" as const);
const around = fc.integer({ min: -900, max: 900 });

const release: fc.Arbitrary<Release> = fc
  .record({ version, minimum: version, channel, ring, stated: ring, before: around, iat: around, exp: around })
  .map(({ before, stated, iat, exp, ...said }) => ({
    manifest: {
      ...{ v: 1, product: "sallyport-agent", ...said },
      notBefore: new Date(NOW.getTime() + before * 1000).toISOString(),
      files: [{ platform: "linux-x64", name: "a.tar.gz", bytes: 1, unpackedBytes: 1, sha256: "0".repeat(64) }],
    },
    statement: { aud: ORIGIN, manifest: "A".repeat(43), ring: stated, iat: SECONDS + iat, exp: SECONDS + exp },
  }));
const facts: fc.Arbitrary<Facts> = fc.record({
  installed: version,
  platform: fc.constantFrom("linux-x64", "linux-x64", "win32-x64"),
  origin: fc.constantFrom(ORIGIN, ORIGIN, "https://other.example"),
  channel,
  ring,
  mode: fc.constantFrom("manual", "notify", "window", "window"),
  hours: fc.constantFrom<Facts["hours"]>(
    { timezone: "UTC" },
    { allow: ["22:00-02:00"], timezone: "UTC" },
    { allow: ["08:00-17:00"], timezone: "UTC" },
  ),
  pinned: fc.option(version, { nil: undefined, freq: 4 }),
  failed: fc.array(version, { maxLength: 2 }),
  now: fc.constant(NOW),
});
const wish: fc.Arbitrary<Wish> = fc.record({ version, downgrade: fc.boolean() });

/** One that may be applied unattended; `change` says what is different. */
const good = (change: Partial<Release["manifest"]> = {}, stated: Partial<Release["statement"]> = {}): Release => ({
  manifest: {
    ...{ v: 1, product: "sallyport-agent", version: "1.1.0", minimum: "1.0.0", channel: "stable", ring: "broad" },
    ...{ notBefore: "2027-02-03T00:00:00Z" },
    files: [{ platform: "linux-x64", name: "a.tar.gz", bytes: 1, unpackedBytes: 1, sha256: "0".repeat(64) }],
    ...change,
  },
  statement: {
    ...{ aud: ORIGIN, manifest: "A".repeat(43), ring: "broad", iat: SECONDS - 10, exp: SECONDS + 10 },
    ...stated,
  },
});
const HERE: Facts = {
  ...{ installed: "1.0.0", platform: "linux-x64", origin: ORIGIN, channel: "stable", ring: "broad", mode: "window" },
  ...{ hours: { allow: ["22:00-02:00"], timezone: "UTC" }, pinned: undefined, failed: [], now: NOW },
};
const whyNot = (of: Release, at: Partial<Facts> = {}, by?: Wish): string | undefined => {
  const verdict = decide(of, { ...HERE, ...at }, by);
  return verdict.ok ? undefined : verdict.why;
};

describe("which release may be applied when", () => {
  it("each refusal, by what alone differs from one that may", () => {
    assert.equal(whyNot(good()), undefined);
    const found = [
      whyNot(good(), { platform: "linux-arm64" }),
      whyNot(good({}, { aud: "https://other.example" })),
      whyNot(good({}, { exp: SECONDS })),
      whyNot(good({}, { iat: SECONDS + 301 })),
      whyNot(good({ channel: "preview" })),
      whyNot(good({ ring: "early" })),
      whyNot(good({ notBefore: "2027-02-04T00:00:00Z" })),
      whyNot(good(), { installed: "1.1.0" }),
      whyNot(good(), { installed: "1.2.0" }),
      whyNot(good({ minimum: "1.0.1" })),
      whyNot(good(), { pinned: "1.0.0" }),
      whyNot(good(), {}, { version: "1.2.0", downgrade: true }),
      whyNot(good(), { mode: "notify" }),
      whyNot(good(), { hours: { allow: ["08:00-17:00"], timezone: "UTC" } }),
      whyNot(good(), { failed: ["1.1.0"] }),
    ];
    assert.deepEqual(found, Object.keys(REASONS));
    assert.equal(whyNot(good({}, { ring: "early" })), "ring");
  });

  it("the owner's command goes around mode, hours and failures, and nothing else", () => {
    const asked = { version: "1.1.0", downgrade: false };
    for (const at of [
      { mode: "manual" as const },
      { failed: ["1.1.0"] },
      { hours: { allow: ["08:00-09:00"], timezone: "UTC" } },
    ])
      assert.equal(whyNot(good(), at, asked), undefined);
    assert.equal(whyNot(good(), { pinned: "1.0.0" }, asked), "pinned");
    assert.equal(whyNot(good({ ring: "first" }), {}, asked), "ring");
  });

  it("never goes back but by the owner's command that says so, for that version", () => {
    fc.assert(
      fc.property(release, facts, fc.option(wish, { nil: undefined }), (of, at, by) => {
        if (!decide(of, at, by).ok) return;
        const order = compareVersions(of.manifest.version, at.installed);
        if (order < 0) assert.deepEqual(by, { version: of.manifest.version, downgrade: true });
        assert.notEqual(order, 0);
      }),
    );
  });

  it("nothing is applied unattended but in the owner's hours, with their word, and never what failed", () => {
    fc.assert(
      fc.property(release, facts, (of, at) => {
        if (!decide(of, at, undefined).ok) return;
        assert.equal(at.mode, "window");
        assert.ok(at.hours.allow === undefined || at.hours.allow.includes("22:00-02:00"));
        assert.ok(!at.failed.includes(of.manifest.version));
      }),
    );
  });

  it("no command gets what was not let go for this agent, or is not its pin", () => {
    fc.assert(
      fc.property(release, facts, fc.option(wish, { nil: undefined }), (of, at, by) => {
        if (!decide(of, at, by).ok) return;
        const { manifest, statement } = of;
        assert.ok(statement.aud === at.origin && statement.exp > SECONDS && statement.iat <= SECONDS + 300);
        assert.ok(manifest.channel === "stable" || at.channel === "preview");
        for (const each of [manifest.ring, statement.ring]) assert.ok(RINGS.indexOf(each) >= RINGS.indexOf(at.ring));
        assert.ok(Date.parse(manifest.notBefore) <= NOW.getTime());
        assert.ok(at.pinned === undefined || at.pinned === manifest.version);
        assert.equal(at.platform, "linux-x64");
      }),
    );
  });

  it("the newest of what is offered may be applied by a command, and none that is newer", () => {
    fc.assert(
      fc.property(fc.array(release, { maxLength: 5 }), facts, (all, at) => {
        const chosen = newestOf(all, at);
        const may = all.filter((of) => decide(of, at, { version: of.manifest.version, downgrade: false }).ok);
        assert.equal(chosen === undefined, may.length === 0);
        for (const { manifest } of may) assert.ok(compareVersions(chosen!.manifest.version, manifest.version) >= 0);
      }),
    );
  });
});
