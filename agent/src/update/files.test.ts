import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
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
    assert.equal(whyNoRoom(file, needed), undefined);
    assert.equal(whyNoRoom(file, needed - 1), "the disk is too full: 234 MiB have to be free");
  });

  it("only a program below versions/ is one that can be updated", () => {
    assert.equal(installedPlaces("/state", join(layout.versions, "1.0.0/app"))?.current, places.current);
    assert.equal(installedPlaces("/state", join(layout.versions, "1.0.0/app"))?.staged, "/state/update");
    assert.equal(installedPlaces("/state", layout.versions), undefined);
    assert.equal(installedPlaces("/state"), undefined);
  });
});
