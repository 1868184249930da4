/** What is not applied: after each refusal the agent of before runs on, the same process, and nothing of the release is installed. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { after, before, describe, it } from "node:test";
import { stagedArchive } from "@sallyport/agent/src/update/places.ts";
import { writePin } from "@sallyport/agent/src/update/record.ts";
import { sha256, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import type { Manifest } from "@sallyport/shared/release/manifest.ts";
import { drawPublisherKey, writeSigned } from "../../build/manifest.ts";
import { type HostileEntry, hostileArchive } from "./hostile-archive.ts";
import { type Machine, ORIGIN, PLATFORM, settled, startMachine } from "./machine.ts";

let machine: Machine;
before(async () => {
  machine = await startMachine();
});
after(() => machine.close());

const file = (): string => {
  const { files } = JSON.parse(readFileSync(machine.places.stagedManifest, "utf8")) as Manifest;
  return stagedArchive(machine.places, files[0]!.sha256);
};

/** One update to 1.1.0, with something wrong. */
async function refused(why: RegExp, wrong: () => void | Promise<void>, through: readonly string[] = []): Promise<void> {
  const before = machine.told();
  if (!existsSync(machine.places.stagedManifest)) await machine.stage("1.1.0");
  await wrong();
  machine.wish("1.1.0");
  const last = await machine.update(undefined, through);
  assert.ok(last !== null && last !== "killed");
  assert.equal(last.outcome, "refused");
  assert.match(last.why ?? "", why);
  assert.deepEqual(machine.told(), before);
  assert.deepEqual([machine.installed(), machine.running()], ["1.0.0", "1.0.0"]);
  assert.deepEqual(readdirSync(machine.layout.versions), ["1.0.0"]);
  assert.ok(settled(machine) && !existsSync(machine.places.incoming) && !existsSync(machine.places.wish));
  rmSync(machine.places.staged, { recursive: true });
  mkdirSync(machine.places.staged);
}

const edit = (path: string, change: (text: string) => string): void =>
  writeFileSync(path, change(readFileSync(path, "utf8")));

describe("signatures", () => {
  it("a manifest that was changed after it was signed", () =>
    refused(/not signed by a publisher's key/, () =>
      edit(machine.places.stagedManifest, (text) => text.replace('"broad"', '"first"')),
    ));
  it("a signature that was changed", () =>
    refused(/not signed by a publisher's key/, () =>
      edit(machine.places.stagedSignature, (text) => text.replace(/^trusted comment: /m, "trusted comment: x")),
    ));
  it("another publisher's key", () =>
    refused(/not signed by a publisher's key/, () => {
      const manifest = readFileSync(machine.places.stagedManifest);
      writeSigned(machine.places.staged, manifest, "1.1.0", drawPublisherKey().privateKey);
    }));
  it("a statement that another key signed", async () => {
    const by = signerOf("ES256", await generateKeyPair("ES256"));
    await refused(/not signed by a pinned key of the orchestrator/, () => machine.stage("1.1.0", "works", {}, { by }));
  });
  it("a statement about another manifest, for another origin, or out of its time", async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const [statement, why] of [
      [{ manifest: "A".repeat(43) }, /about another manifest/],
      [{ aud: "https://other.example" }, /for another origin/],
      [{ exp: now - 1 }, /has expired/],
      [{ iat: now + 3600 }, /of the future/],
    ] as const)
      await refused(why, () => machine.stage("1.1.0", "works", {}, statement));
  });
  it("a statement of the same key for another purpose", () =>
    refused(/not signed by a pinned key of the orchestrator \(typ\)/, async () => {
      await machine.stage("1.1.0");
      const manifest = toBase64url(sha256(readFileSync(machine.places.stagedManifest)));
      const claims = { aud: ORIGIN, manifest, ring: "broad", iat: 0, exp: 1e11 };
      writeFileSync(machine.places.stagedStatement, await signJws("keys", claims, machine.signer));
    }));
});

describe("the program", () => {
  it("with a byte changed, cut short, or longer", async () => {
    const sum = /another sum than its manifest says/;
    await refused(sum, () => {
      const bytes = readFileSync(file());
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(file(), bytes);
    });
    await refused(sum, () => truncateSync(file(), 100));
    await refused(/larger than its manifest says/, () => appendFileSync(file(), "x"));
  });
  it("not there, a link to elsewhere, or a pipe", async () => {
    await refused(/archive is not staged/, () => rmSync(file()));
    await refused(/archive is not staged/, () => {
      const kept = `${file()}.kept`;
      cpSync(file(), kept);
      rmSync(file());
      symlinkSync(kept, file());
    });
    await refused(/no regular file|ELOOP/, () => {
      rmSync(machine.places.stagedManifest);
      symlinkSync("/etc/hostname", machine.places.stagedManifest);
    });
    await refused(/is larger than/, () => writeFileSync(machine.places.stagedSignature, "x".repeat(100_000)));
    await refused(/nothing is staged/, () => rmSync(machine.places.stagedStatement));
  });

  /** Signed by the right keys, and yet not what a release holds. */
  async function packed(entries: readonly HostileEntry[], unpackedBytes?: number): Promise<void> {
    await machine.stage("1.1.0");
    const said = JSON.parse(readFileSync(machine.places.stagedManifest, "utf8")) as { files: object[] };
    rmSync(file());
    const archive = hostileArchive(entries);
    const written = {
      bytes: archive.length,
      unpackedBytes: entries.reduce((sum, { content }) => sum + content.length, 0),
      sha256: createHash("sha256").update(archive).digest("hex"),
    };
    writeFileSync(stagedArchive(machine.places, written.sha256), archive);
    said.files = [{ ...said.files[0], ...written, ...(unpackedBytes === undefined ? {} : { unpackedBytes }) }];
    const manifest = Buffer.from(JSON.stringify(said));
    writeSigned(machine.places.staged, manifest, "1.1.0", machine.publisher.privateKey);
    const now = Math.floor(Date.now() / 1000);
    const claims = { aud: ORIGIN, manifest: toBase64url(sha256(manifest)), ring: "broad", iat: now, exp: now + 60 };
    writeFileSync(machine.places.stagedStatement, await signJws("update", claims, machine.signer));
  }
  const content = "x";
  const releaseNote = (version: string, platform: string) => ({
    name: "release.json",
    content: JSON.stringify({ version, platform }),
  });
  const whole = [
    { name: "node", content },
    { name: "app/sallyport.mjs", content },
    { name: "app/updater.mjs", content },
    releaseNote("1.1.0", PLATFORM),
  ];

  it("of another version than its manifest's, for another platform, or without one of its parts", async () => {
    await refused(/does not hold version 1.1.0/, () => packed([...whole.slice(0, 3), releaseNote("1.0.5", PLATFORM)]));
    await refused(/does not hold version 1.1.0/, () =>
      packed([...whole.slice(0, 3), releaseNote("1.1.0", "linux-mips")]),
    );
    await refused(/the archive has no node/, () => packed(whole.slice(1)));
  });
  it("whose archive leads elsewhere, holds a link, or more than was announced", async () => {
    for (const name of ["../out", "/out", "app/../../out", "app//x", ".hidden", "app/-x"])
      await refused(/a name that may lead elsewhere/, () => packed([{ name, content }, ...whole]));
    for (const type of ["1", "2", "3", "6", "L", "x"])
      await refused(/neither a file nor a folder/, () => packed([{ name: "app/x", content, type }, ...whole]));
    await refused(/more than its manifest says/, () => packed(whole, 2));
  });
});

describe("the manifest", () => {
  it("of an older version, another channel or ring, too early, too far, or for another platform", async () => {
    const soon = new Date(Date.now() + 3_600_000);
    for (const [change, why] of [
      [{ channel: "preview" }, /of a channel that agent.yaml does not name/],
      [{ ring: "early" }, /not been let go as far as this agent's ring/],
      [{ notBefore: soon }, /its time \(notBefore\) has not come/],
      [{ minimum: "1.0.1" }, /a version between comes first/],
    ] as const)
      await refused(why, () => machine.stage("1.1.0", "works", change));
    await refused(/not been let go as far/, () => machine.stage("1.1.0", "works", {}, { ring: "first" }));
    await refused(/the owner's command named another version/, () => machine.stage("1.2.0"));
  });
  it("of another version than the owner pinned", async () => {
    writePin(machine.places, "1.0.0", new Date());
    await refused(/the owner has pinned another version/, () => {});
    writePin(machine.places, undefined, new Date());
  });
});

describe("the disk is full", () => {
  // Beyond so many blocks of 512 bytes a write to a file fails, as on a full disk.
  const withBlocks = (blocks: number) => ["/bin/sh", "-c", `trap '' XFSZ; ulimit -f ${blocks}; exec "$0" "$@"`];
  const MIB = 2 ** 20;
  for (const [when, blocks, filler] of [
    ["before anything is written", 0, new Uint8Array()],
    ["while room is put aside", 100, new Uint8Array()],
    ["while the archive is copied", 600, randomBytes(MIB)],
    ["while it is unpacked", 600, new Uint8Array(MIB)],
  ] as const)
    it(when, () =>
      refused(/the disk is full|EFBIG/, () => machine.stage("1.1.0", "works", {}, {}, filler), withBlocks(blocks)),
    );
});
