import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { layoutIn } from "../install/layout.ts";
import { readBounded } from "../regular-file.ts";
import { inReserve, repoint, reserveRoom, versionOf } from "./files.ts";
import { installedPlaces } from "./installed.ts";
import { updatePlaces } from "./places.ts";
import { readPin, readRecord, readWish, writeRecord } from "./record.ts";
import { whyNoRoom } from "./take.ts";

const root = mkdtempSync(join(tmpdir(), "sallyport-update-files-"));
after(() => rmSync(root, { recursive: true }));
const layout = layoutIn(root);
const places = updatePlaces(layout);
mkdirSync(join(layout.versions, "1.0.0/app"), { recursive: true });
const full = Object.assign(new Error("no space left"), { code: "ENOSPC" });

describe("an update's files", () => {
  it("the way back uses the room that was put aside, once", () => {
    reserveRoom(places);
    assert.equal(statSync(places.reserve).size, 256 * 1024);
    let tries = 0;
    const act = (): string => {
      tries += 1;
      if (existsSync(places.reserve)) throw full;
      return "written";
    };
    assert.equal(inReserve(places, act), "written");
    assert.equal(tries, 2);
    assert.throws(() => inReserve(places, () => assert.fail("another fault")), /another fault/);
    const never = () => {
      throw full;
    };
    assert.throws(() => inReserve(places, never), full);
  });

  it("a link always names a version; one that was left half made is replaced", () => {
    assert.equal(versionOf(places.current), undefined);
    symlinkSync("nowhere", `${places.current}.new`);
    for (const to of ["1.0.0", "1.0.0", "1.1.0"]) {
      repoint(places.current, to);
      assert.equal(readlinkSync(places.current), `versions/${to}`);
      assert.equal(versionOf(places.current), to);
    }
    symlinkSync("versions/../../etc", places.updater);
    assert.equal(versionOf(places.updater), undefined);
  });

  it("a file is read up to a size, and no link is followed", () => {
    const file = join(root, "file");
    writeFileSync(file, "12345");
    assert.equal(readBounded(file, 5)?.toString(), "12345");
    assert.throws(() => readBounded(file, 4), /larger than 4 bytes/);
    assert.equal(readBounded(`${file}.none`, 5), undefined);
    symlinkSync(file, `${file}.link`);
    assert.throws(() => readBounded(`${file}.link`, 5));
    assert.throws(() => readBounded(root, 5));
  });

  it("room for the copy, for what is unpacked, and for the agent besides", () => {
    const file = { bytes: 40 * 2 ** 20, unpackedBytes: 130 * 2 ** 20 };
    const needed = (40 + 130 + 64) * 2 ** 20;
    assert.equal(whyNoRoom(file, needed, 64 * 2 ** 20), undefined);
    assert.equal(whyNoRoom(file, needed - 1, needed), "the disk is too full: 234 MiB have to be free");
    assert.match(whyNoRoom(file, needed, 64 * 2 ** 20 - 1) ?? "", /agent's folder is too full: 64 MiB/);
  });

  it("a newer version's record, wish and pin are read, and what this one has no word for is passed over", () => {
    const at = "2027-01-02T03:04:05.006Z";
    const last = { version: "1.1.0", from: "1.0.0", outcome: "applied", why: null, at, wish: null, tries: 2 };
    const under = { step: "reverting", from: "1.0.0", to: "1.1.0", wish: null, gates: 1, why: null, since: at };
    const record = { v: 1, under, last, previous: "1.0.0", failed: [], blocked: ["0.9.0"] };
    const write = (file: string, value: object): void => writeFileSync(file, JSON.stringify(value));
    write(places.record, record);
    const read = readRecord(places);
    assert.deepEqual([read.under?.step, read.last?.outcome, read.previous], ["reverting", "applied", "1.0.0"]);
    write(places.record, { ...record, last: { ...last, outcome: "postponed", wish: at } });
    // How it ended is lost; that the command was done is not.
    assert.deepEqual([readRecord(places).last?.outcome, readRecord(places).last?.wish], [null, at]);
    writeRecord(places, readRecord(places));
    assert.doesNotMatch(readFileSync(places.record, "utf8"), /blocked/);
    write(places.wish, { v: 1, do: "rollback", version: "1.0.0", at, asker: "root" });
    assert.equal(readWish(places)?.version, "1.0.0");
    write(places.pin, { v: 1, version: "1.0.0", at, until: at });
    assert.equal(readPin(places), "1.0.0");
    for (const file of [places.record, places.wish, places.pin]) rmSync(file);
  });

  it("only a program below versions/ is one that can be updated", () => {
    assert.equal(installedPlaces("/state", join(layout.versions, "1.0.0/app"))?.current, places.current);
    assert.equal(installedPlaces("/state", join(layout.versions, "1.0.0/app"))?.staged, "/state/update");
    assert.equal(installedPlaces("/state", layout.versions), undefined);
    assert.equal(installedPlaces("/state"), undefined);
  });
});
