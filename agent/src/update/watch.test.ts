/** What a running agent does about releases, by its owner's mode: not even ask, tell, or hand one over to the updater. */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { publicKeyLine, signMinisign } from "@sallyport/shared/release/minisign.ts";
import pino from "pino";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { type Clock, systemClock } from "../clock.ts";
import { agentConfig } from "../config.ts";
import { layoutIn } from "../install/layout.ts";
import { stagedArchive, updatePlaces } from "./places.ts";
import { writeRecord } from "./record.ts";
import { createUpdateWatch, type UpdateWatch, type WatchDeps } from "./watch.ts";

const root = mkdtempSync(join(tmpdir(), "sallyport-watch-"));
const layout = layoutIn(root);
const places = updatePlaces(layout);
const { privateKey } = generateKeyPairSync("ed25519");
const orchestrator = await generateKeyPair("ES256");
const authority = await makeAuthority();
const certificate = await authority.issue({ names: ["localhost"] });
const archive = Buffer.from("an archive, for all that the agent knows");
const sum = createHash("sha256").update(archive).digest("hex");
const asked: string[] = [];
let origin = "";

const server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
  asked.push(request.url ?? "");
  if (request.url?.includes("/files/")) {
    const last = archive.length - 1;
    response.writeHead(206, { "content-range": `bytes 0-${last}/${archive.length}` }).end(archive);
  } else void offer().then((releases) => response.end(JSON.stringify({ releases })));
});

async function offer() {
  const files = [
    {
      platform: `${process.platform}-${process.arch}`,
      name: "a.tar.gz",
      bytes: archive.length,
      unpackedBytes: 1,
      sha256: sum,
    },
  ];
  const said = {
    v: 1,
    product: "sallyport-agent",
    version: "1.1.0",
    channel: "stable",
    ring: "broad",
    minimum: "1.0.0",
  };
  const manifest = Buffer.from(JSON.stringify({ ...said, notBefore: new Date(0).toISOString(), files }));
  const iat = Math.floor(Date.now() / 1000);
  const claims = { aud: origin, manifest: toBase64url(sha256(manifest)), ring: "broad", iat, exp: iat + 600 };
  const statement = await signJws("update", claims, signerOf("ES256", orchestrator));
  return [{ manifest: toBase64url(manifest), signature: signMinisign(manifest, privateKey, "1.1.0"), statement }];
}

/** Goes on by one look at a time; the first asks. */
function steppingClock(): { clock: Clock; looked: () => Promise<void> } {
  let nowMs = 10 * 60_000;
  let waiting = Promise.withResolvers<void>();
  return {
    looked: async () => {
      await waiting.promise;
      waiting = Promise.withResolvers<void>();
    },
    clock: {
      ...{ wallMs: systemClock.wallMs, monotonicMs: () => nowMs },
      sleep: (ms, signal) =>
        new Promise((_, reject) => {
          nowMs += ms;
          waiting.resolve();
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        }),
    },
  };
}

/** One look of a watch in this mode. */
async function look(
  mode: "manual" | "notify" | "window",
  updates: object = {},
  more: Pick<WatchDeps, "platform" | "wake"> = {},
): Promise<UpdateWatch> {
  const { clock, looked } = steppingClock();
  const config = agentConfig.parse({ v: 1, origin, agent: "0".repeat(32), tenant: "contoso", site: "oslo", updates });
  const deps: WatchDeps = {
    ...more,
    ...{
      origin,
      agent: config.agent,
      signer: signerOf("EdDSA", await generateKeyPair("EdDSA")),
      clock,
      places,
      config,
    },
    ...{
      network: { caPem: authority.caPem },
      mode: () => mode,
      releaseKeys: [publicKeyLine(privateKey)],
      random: () => 0,
    },
    ...{ pinned: () => ({ keys: [{ ...orchestrator.publicJwk }] }), log: pino({ level: "silent" }) },
  };
  const stop = new AbortController();
  const watch = createUpdateWatch(deps);
  const running = watch.run(stop.signal);
  await looked();
  stop.abort();
  await running;
  return watch;
}

before(async () => {
  mkdirSync(join(layout.versions, "1.0.0"), { recursive: true });
  symlinkSync("versions/1.0.0", layout.current);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `https://localhost:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  for (const each of [places.staged, places.own]) rmSync(each, { recursive: true, force: true });
  asked.length = 0;
});
after(async () => {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
  rmSync(root, { recursive: true });
});

describe("a running agent", () => {
  it("manual: asks nobody", async () => {
    assert.deepEqual((await look("manual")).state, { mode: "manual", available: null });
    assert.deepEqual(asked, []);
  });

  it("notify: says what there is, and downloads nothing", async () => {
    assert.deepEqual((await look("notify")).state, { mode: "notify", available: "1.1.0" });
    assert.deepEqual(asked, ["/api/agent/releases/stable/broad"]);
    assert.equal(existsSync(places.staged), false);
  });

  it("window: downloads, and hands it over in the owner's hours only", async () => {
    const hour = (more: number): string => String((new Date().getUTCHours() + more) % 24).padStart(2, "0");
    await look("window", { hours: { allow: [`${hour(2)}:00-${hour(4)}:00`] } });
    assert.deepEqual(readFileSync(stagedArchive(places, sum)), archive);
    assert.equal(existsSync(places.ready), false);
    const watch = await look("window", { hours: { allow: [`${hour(23)}:00-${hour(3)}:00`] } });
    assert.equal(readFileSync(places.ready, "utf8"), "1.1.0\n");
    assert.deepEqual(watch.report(), {
      ...{ mode: "window", channel: "stable", ring: "broad", pinned: null, staged: "1.1.0" },
      ...{ proving: false, last: null },
    });
    // The archive was there already.
    assert.equal(asked.filter((path) => path.includes("/files/")).length, 1);
  });

  it("where no unit waits for the file, asks for the updater's start itself: to hand over, and where an update was broken off", async () => {
    const name = `${process.platform}-${process.arch}`;
    let woken = 0;
    const wake = (): void => {
      woken += 1;
    };
    const platform = { name, versionOf: () => "1.0.0" };
    await look("notify", {}, { platform, wake });
    assert.equal(woken, 0);
    await look("window", {}, { platform, wake });
    assert.deepEqual([woken, existsSync(places.ready)], [1, true]);
    const under = { step: "gating", from: "1.0.0", to: "1.1.0", wish: null, gates: 1, why: null } as const;
    writeRecord(places, { v: 1, under, last: null, previous: null, failed: [] });
    await look("manual", {}, { platform, wake });
    assert.equal(woken, 2);
  });

  it("window: what failed here is not downloaded again; how an update ended is news until it was told", async () => {
    const at = new Date().toISOString();
    const last = { version: "1.1.0", from: "1.0.0", outcome: "rolledBack" as const, why: "no canary", at, wish: null };
    const watch = await look("window");
    rmSync(places.staged, { recursive: true });
    const record = { v: 1, under: null, last: null, previous: null, failed: [] } as const;
    const under = { from: "1.0.0", to: "1.1.0", wish: null, gates: 1, why: null };
    writeRecord(places, { ...record, under: { step: "reverting", ...under }, failed: [] });
    assert.equal(watch.report().proving, true);
    writeRecord(places, { ...record, last, failed: ["1.1.0"] });
    assert.equal(watch.unsaid, true);
    assert.deepEqual(
      [watch.report().last, watch.report().proving],
      [{ version: "1.1.0", outcome: "rolledBack", at }, false],
    );
    assert.equal(watch.unsaid, false);
    await look("window");
    assert.equal(existsSync(places.staged), false);
    writeRecord(places, { ...record, last: { ...last, outcome: null }, failed: [] });
    assert.equal(watch.report().last, null);
  });
});
