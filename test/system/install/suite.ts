/** What a release is made of, installed: package and image on machines with systemd, the executable in a root of its own. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manifest } from "@sallyport/shared/release/manifest.ts";
import { readPublicKey, verifyMinisign } from "@sallyport/shared/release/minisign.ts";
import { installPackages, PODMAN, WIXL } from "../packages.ts";
import type { Check, Suite } from "../suite.ts";
import { startWorld } from "../world.ts";
import { checkExecutable } from "./executable-checks.ts";
import { checkImage } from "./image-checks.ts";
import { checkPackage } from "./package-checks.ts";
import { makeTwice, type Release } from "./releases.ts";
import { checkUnit } from "./unit.ts";
import { checkWindows } from "./windows-checks.ts";

export const install: Suite = {
  name: "install",
  about:
    "a release: twice the same, installed by apt on a machine with systemd, as an image and one executable, confined, updated, removed without a trace",
  async run(check) {
    if (process.geteuid?.() !== 0) throw new Error("starting a machine of its own needs root");
    installPackages({ ...WIXL, ...PODMAN });
    const folder = mkdtempSync(join(tmpdir(), "sallyport-release-"));
    try {
      await checkUnit(check, folder);
      const release = await checkRelease(check, folder);
      await checkWindows(check, release, folder);
      const world = await startWorld("install");
      try {
        await checkPackage(check, world, release);
        await checkImage(check, world, release);
        await checkExecutable(check, world, release);
      } finally {
        await world.cleanup.run();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function checkRelease(check: Check, folder: string): Promise<Release> {
  const [one, other] = await makeTwice(folder);
  await check("the same sources in two folders give the same bytes", () => {
    assert.equal(other.sums, one.sums);
  });
  await check("SHA256SUMS fits what is there, and no file names the folder that it was made in", () => {
    for (const line of one.sums.trimEnd().split("\n")) {
      const [sum, name] = line.split("  ");
      const bytes = readFileSync(join(one.folder, name!));
      assert.equal(createHash("sha256").update(bytes).digest("hex"), sum, name);
      assert.ok(!bytes.includes(folder), name);
    }
  });
  await check("sums and manifest are signed by the publisher, and the manifest is of the archive that is there", () => {
    const keys = [readPublicKey(one.publicLine)];
    for (const name of ["SHA256SUMS", "manifest.json"]) {
      const [content, signature] = [name, `${name}.minisig`].map((each) => readFileSync(join(one.folder, each)));
      assert.ok(verifyMinisign(content!, signature!.toString("utf8"), keys), name);
      assert.ok(!verifyMinisign(Buffer.concat([content!, Buffer.from(" ")]), signature!.toString("utf8"), keys), name);
    }
    const { files } = manifest.parse(JSON.parse(readFileSync(join(one.folder, "manifest.json"), "utf8")));
    for (const { name, sha256 } of files) assert.ok(one.sums.includes(`${sha256}  ${name}\n`), name);
  });
  return one;
}
