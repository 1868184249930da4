/** The Windows installer, made here, read back and installed by others' tools. Windows itself is not there: docs/install-windows.md says what it showed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { signAuthenticode, verifyAuthenticode } from "../../build/release/authenticode.ts";
import { file } from "../../build/release/entries.ts";
import { fetchInput, type Input, readInputs, windowsInputs } from "../../build/release/inputs.ts";
import { buildMsi } from "../../build/release/msi/build.ts";
import type { InstalledFile } from "../../build/release/msi/description.ts";
import { sallyportInstaller } from "../../build/release/msi/sallyport.ts";
import { windowsArtefacts } from "../../build/release/windows.ts";
import { ROOT } from "../../build/root.ts";
import { installPackages, SIGNING, WINE, WIXL } from "../packages.ts";
import type { Check, Suite } from "../suite.ts";
import { startClock } from "./clock.ts";
import { checkInstalling } from "./installing.ts";
import { PROMISES } from "./promises.ts";
import { makePublisher } from "./publisher.ts";
import { extract, type Read, readMsi, run } from "./tables.ts";

const EPOCH_SECONDS = 1_790_000_000;
type Files = readonly [InstalledFile, ...InstalledFile[]];

export const msi: Suite = {
  name: "msi",
  about: "the Windows installer: twice the same, its promises read back from its tables, signed, installed by Wine",
  async run(check) {
    installPackages({ ...WIXL, ...SIGNING, ...WINE });
    const work = mkdtempSync(join(tmpdir(), "sallyport-msi-"));
    try {
      const files = await checkInputs(check, work);
      const installer = join(work, "sallyport.msi");
      await checkTwice(check, work, files, installer);
      const read = await readMsi(installer, work);
      await checkPromises(check, work, files[1]!, read);
      await checkFiles(check, work, files, installer, read);
      await checkSignature(check, work, files[0].path, installer, files[1]!.path);
      await checkInstalling(check, work, EPOCH_SECONDS);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

/** The program stands in for ours: Node's own, of the size and with the resources that ours is made of. */
async function checkInputs(check: Check, work: string): Promise<Files> {
  let inputs: Awaited<ReturnType<typeof windowsInputs>> | undefined;
  await check("what the registry gives for Windows is what release/inputs.json pins", async () => {
    inputs = await windowsInputs(join(work, "inputs"));
    assert.equal(readFileSync(inputs.node).toString("latin1", 0, 2), "MZ");
  });
  await check(
    "an archive of the registry with another sum, or another size, than is written down is refused",
    async () => {
      const { koffi, node } = readInputs().windows;
      const refused = (wanted: Input, message: RegExp, folder: string) =>
        assert.rejects(fetchInput(wanted, join(work, folder)), message);
      await refused({ ...koffi, integrity: node.integrity }, /has the sum sha512-/, "other-sum");
      await refused({ ...koffi, bytes: koffi.bytes - 1 }, /bytes, not/, "other-size");
    },
  );
  if (inputs === undefined) throw new Error("there is nothing to make an installer of");
  return [
    { name: "sallyport.exe", path: inputs.node },
    { name: "koffi.node", path: inputs.koffi },
    { name: "LICENSE.txt", path: join(ROOT, "LICENSE") },
  ];
}

const made = (files: Files, work: string, epochSeconds = EPOCH_SECONDS): Promise<Buffer> =>
  buildMsi(sallyportInstaller("1.2.3", files), epochSeconds, work);

async function checkTwice(check: Check, work: string, files: Files, path: string): Promise<void> {
  await check("two folders, and files of two times, give the same bytes", async () => {
    const [folder, elsewhere] = [join(work, "one"), join(work, "else where", "ü")];
    const bytes = await made(files, folder);
    writeFileSync(path, bytes);
    mkdirSync(elsewhere, { recursive: true });
    const copies = files.map(({ name, path: from }) => {
      copyFileSync(from, join(elsewhere, `copy of ${name}`));
      return { name, path: join(elsewhere, `copy of ${name}`) };
    });
    const again = await made(copies as unknown as Files, join(elsewhere, "work"));
    assert.equal(sha256(again), sha256(bytes));
    assert.ok(!bytes.includes(work));
  });
  await check("another time, and one other byte in a file, give another installer with another code", async () => {
    const [small, other] = [join(work, "small"), join(work, "other")];
    writeFileSync(small, "MZ, for a stand-in");
    writeFileSync(other, "MZ, for a stand-iN");
    const of = (file: string): Files => [{ name: "sallyport.exe", path: file }];
    const installers = [
      await made(of(small), join(work, "a")),
      await made(of(small), join(work, "b"), EPOCH_SECONDS + 2),
      await made(of(other), join(work, "c")),
    ];
    assert.equal(new Set(installers.map(sha256)).size, 3);
    const codes = await Promise.all(
      installers.map(async (bytes, index) => {
        const at = join(work, `${index}.msi`);
        writeFileSync(at, bytes);
        const { summary } = await readMsi(at, work);
        assert.match(summary.Created!, /^Mon Sep 21 14:13:2[02] 2026$/);
        assert.equal(summary.Created, summary["Last saved"]);
        return summary["Revision number (UUID)"];
      }),
    );
    assert.equal(new Set(codes).size, 3);
  });
}

/** Each kept by the installer, and each broken in a small one that one statement changed: a check that passes anything is seen. */
async function checkPromises(check: Check, work: string, small: InstalledFile, read: Read): Promise<void> {
  const stand = join(work, "stand-in.msi");
  writeFileSync(stand, await made([{ ...small, name: "sallyport.exe" }], join(work, "stand-in")));
  const wholly = await readMsi(stand, work);
  for (const { name, check: holds, broken } of PROMISES)
    await check(name, async () => {
      holds(read);
      holds(wholly);
      const changed = join(work, "changed.msi");
      copyFileSync(stand, changed);
      await run("msibuild", [changed, "-q", broken]);
      const after = await readMsi(changed, work);
      assert.throws(() => holds(after), assert.AssertionError, `nobody sees ${broken}`);
    });
}

async function checkFiles(check: Check, work: string, files: Files, path: string, read: Read): Promise<void> {
  await check("each file comes back byte for byte, below the version's folder, and no other", async () => {
    const folder = join(work, "extracted");
    const found = await extract(path, folder);
    assert.deepEqual(found, files.map(({ name }) => `Sallyport/versions/1.2.3/${name}`).sort());
    for (const { name, path: from } of files)
      assert.ok(readFileSync(from).equals(readFileSync(join(folder, "Sallyport/versions/1.2.3", name))), name);
  });
  await check("a file with a version is known by that, the others by the sum of their content", () => {
    const rows = read.table("File");
    const sized = rows.map(({ FileName, FileSize }) => [FileName!.split("|").at(-1), Number(FileSize)]);
    assert.deepEqual(
      sized,
      files.map(({ name, path: from }) => [name, readFileSync(from).length]),
    );
    assert.deepEqual(
      rows.map(({ Version }) => Version),
      ["24.21.0.0", "", ""],
    );
    const hashes = read.table("MsiFileHash").map((row) => [1, 2, 3, 4].map((part) => Number(row[`HashPart${part}`])));
    assert.deepEqual(
      hashes,
      files.slice(1).map(({ path: from }) => md5Parts(readFileSync(from))),
    );
  });
}

async function checkSignature(
  check: Check,
  work: string,
  program: string,
  installer: string,
  library: string,
): Promise<void> {
  const [publisher, stranger] = await Promise.all(
    ["publisher", "stranger"].map((name) => makePublisher(join(work, name), new Date(EPOCH_SECONDS * 1000))),
  );
  for (const [what, from, end] of [["program", program, ".exe"] as const, ["installer", installer, ".msi"] as const])
    await check(`a signed ${what}: its publisher is known, a changed byte is seen, and so is a stranger`, async () => {
      const [signed, again] = [join(work, `signed${end}`), join(work, `again${end}`)];
      await signAuthenticode(from, signed, publisher!, EPOCH_SECONDS);
      await verifyAuthenticode(signed, publisher!.authority, EPOCH_SECONDS);
      await signAuthenticode(from, again, publisher!, EPOCH_SECONDS);
      assert.equal(sha256(readFileSync(again)), sha256(readFileSync(signed)));
      const bytes = readFileSync(signed);
      bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1;
      writeFileSync(again, bytes);
      const refused = (path: string, authority: string, atSeconds = EPOCH_SECONDS) =>
        assert.rejects(verifyAuthenticode(path, authority, atSeconds), /osslsigncode verify failed/);
      await refused(again, publisher!.authority);
      await refused(signed, stranger!.authority);
      await refused(signed, publisher!.authority, EPOCH_SECONDS + 7 * 86_400);
      await refused(from, publisher!.authority);
    });
  await check(
    "a signed release: archive and installer hold the same signed program and library, all by the publisher",
    async () => {
      const entries = [file("koffi.node", readFileSync(library)), file("sallyport.exe", readFileSync(program), 0o755)];
      const of = {
        version: "1.2.3",
        epochSeconds: EPOCH_SECONDS,
        work: join(work, "release"),
        authenticode: publisher!,
      };
      const made = await windowsArtefacts({ entries }, of);
      assert.deepEqual(
        made.entries.map(({ path, mode }) => [path, mode]),
        entries.map(({ path, mode }) => [path, mode]),
      );
      const path = join(work, "release.msi");
      writeFileSync(path, made.msi);
      await verifyAuthenticode(path, publisher!.authority, EPOCH_SECONDS);
      const folder = join(work, "from-release");
      await extract(path, folder);
      for (const archived of made.entries) {
        const installed = join(folder, "Sallyport/versions/1.2.3", archived.path);
        await verifyAuthenticode(installed, publisher!.authority, EPOCH_SECONDS);
        assert.ok(archived.kind === "file" && archived.bytes.equals(readFileSync(installed)));
      }
    },
  );
  await check(
    "with an authority's word for the time the signature outlives its certificate, without it not",
    async () => {
      const now = new Date();
      const later = Math.trunc(now.getTime() / 1000) + 7 * 86_400;
      const today = await makePublisher(join(work, "today"), now);
      const clock = await startClock(join(work, "clock"), today.clock);
      try {
        const [timed, plain] = [join(work, "timed.msi"), join(work, "plain.msi")];
        const signedAt = Math.trunc(now.getTime() / 1000);
        await signAuthenticode(installer, timed, { ...today, timestampUrl: clock.url }, signedAt);
        await verifyAuthenticode(timed, today.authority, later);
        await signAuthenticode(installer, plain, today, signedAt);
        await assert.rejects(verifyAuthenticode(plain, today.authority, later), /osslsigncode verify failed/);
      } finally {
        await clock.close();
      }
    },
  );
  await check("with a wrong passphrase, or another's certificate, nothing is signed", async () => {
    const to = join(work, "never.msi");
    const { passphrase } = stranger!;
    await assert.rejects(signAuthenticode(installer, to, { ...publisher!, passphrase }, EPOCH_SECONDS), /failed/);
    const { certificate } = stranger!;
    await assert.rejects(signAuthenticode(installer, to, { ...publisher!, certificate }, EPOCH_SECONDS), /failed/);
    assert.throws(() => readFileSync(to));
  });
  await check("the tables of the signed installer are those of the unsigned one", async () => {
    const [before, after] = [await readMsi(installer, work), await readMsi(join(work, "signed.msi"), work)];
    assert.deepEqual(after.summary, before.summary);
    for (const { check: holds } of PROMISES) holds(after);
  });
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** As MsiGetFileHash gives it: MD5 in four little-endian numbers with a sign. */
function md5Parts(bytes: Buffer): number[] {
  const sum = createHash("md5").update(bytes).digest();
  return [0, 4, 8, 12].map((at) => sum.readInt32LE(at));
}
