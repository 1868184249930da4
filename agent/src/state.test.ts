import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { makeFolders, move, readPinned, statePaths, writePinned } from "./state.ts";
import { newUsage } from "./supervisor/login-breaker.ts";
import { loadUsage } from "./supervisor/startup.ts";

/** A file that somebody has open for the first so many tries. */
function held(tries: number, code = "EPERM") {
  let waited = 0;
  const rename = (): void => {
    if (tries-- > 0) throw Object.assign(new Error(code), { code });
  };
  const wait = (ms: number): void => {
    waited += ms;
  };
  return { rename, wait, waited: () => waited };
}

describe("a file that takes another's place", () => {
  it("waits on Windows for whoever has it open, and not for ever", () => {
    const soon = held(3, "EBUSY");
    move("a", "b", 1_000, { isWindows: true, ...soon });
    assert.equal(soon.waited(), 75);
    const never = held(Number.POSITIVE_INFINITY);
    assert.throws(() => move("a", "b", 1_000, { isWindows: true, ...never }), /EPERM/);
    assert.equal(never.waited(), 1_000);
  });

  it("fails at once for any other reason, and anywhere else", () => {
    for (const [isWindows, code] of [
      [true, "ENOSPC"],
      [false, "EPERM"],
    ] as const) {
      const system = held(1, code);
      assert.throws(() => move("a", "b", 1_000, { isWindows, ...system }), new RegExp(code));
      assert.equal(system.waited(), 0);
    }
  });
});

describe("files of a newer version, after an update was taken back", () => {
  it("are read with the fields that this one knows", (t) => {
    const root = mkdtempSync(join(tmpdir(), "sallyport-state-"));
    t.after(() => rmSync(root, { recursive: true }));
    const paths = statePaths(join(root, "agent"));
    makeFolders(paths);
    writePinned(paths, {
      ...{ v: 1, agent: "a".repeat(32), tenant: "contoso", tenantName: "Contoso", site: "oslo", siteName: "Oslo" },
      ...{ origin: "https://sallyport.example", relayHost: "contoso.servicebus.windows.net", listenUrl: null },
      ...{ keysSeq: 3, keys: [{ kty: "EC" }], settings: { canarySeconds: 300 } },
    });
    const known = readPinned(paths);
    writeFileSync(paths.pinned, JSON.stringify({ ...known, attestation: { by: "tpm" } }));
    assert.deepEqual(readPinned(paths), known);
    const usage = newUsage();
    writeFileSync(paths.usage, JSON.stringify({ ...usage, denials: [1] }));
    assert.deepEqual(loadUsage(paths), usage);
    assert.match(readFileSync(paths.usage, "utf8"), /denials/);
  });
});
