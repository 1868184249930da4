/**
 * The executable for Windows, inspected: nothing here can run it. What is in it is Node as its publisher signed it, but for the
 * signature and what was put in; and the script of executors, byte by byte the package's.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { manifest } from "@sallyport/shared/release/manifest.ts";
import { FUSE, RESOURCE } from "../../build/executable.ts";
import { windowsInputs } from "../../build/release/inputs.ts";
import { rawResource, readPe } from "../../build/release/pe.ts";
import type { Check } from "../suite.ts";
import { type Release, runScript } from "./releases.ts";
import { unzipped } from "./unzip.ts";

const X64 = 0x8664;
const CONSOLE = 3;

export async function checkWindows(check: Check, release: Release, work: string): Promise<void> {
  const files = unzipped(readFileSync(release.path("-windows-x64.zip")));
  const read = (name: string): Buffer => {
    const bytes = files.get(name);
    assert.ok(bytes !== undefined, `no ${name} among ${[...files.keys()].join(", ")}`);
    return bytes;
  };
  const inputs = join(work, "inputs");
  mkdirSync(inputs);
  const { node, koffi } = await windowsInputs(inputs);
  const bill = JSON.parse(read("sbom.cdx.json").toString()) as Bill;
  const inBill = (name: string): string | undefined =>
    bill.components.find((each) => each.name === name)?.hashes?.find(({ alg }) => alg === "SHA-256")?.content;

  await check("the archive for Windows holds a console program for x64 with its native code, licences and bill", () => {
    assert.deepEqual([...files.keys()].sort(), NAMES);
    const { machine, subsystem, certificates } = readPe(read("sallyport.exe"));
    assert.deepEqual([machine, subsystem, certificates], [X64, CONSOLE, undefined]);
    assert.deepEqual(read("koffi.node"), readFileSync(koffi));
    assert.equal(readPe(read("koffi.node")).machine, X64);
    assert.match(read("THIRD-PARTY-NOTICES.txt").toString(), /^@koromix\/koffi-win32-x64 \d/m);
  });
  await check("its headers are those of the Node that the bill names, untouched by any clock", () => {
    assert.equal(inBill("node"), sha256(readFileSync(node)));
    const [ours, theirs] = [readPe(read("sallyport.exe")), readPe(readFileSync(node))];
    assert.ok(theirs.certificates !== undefined, "Node for Windows comes with a signature");
    assert.deepEqual({ ...ours, certificates: undefined }, { ...theirs, certificates: undefined });
  });
  await check("its resource is what the bill says, and Node is told that it is there", () => {
    const program = read("sallyport.exe");
    const blob = rawResource(program, RESOURCE);
    assert.ok(blob !== undefined);
    assert.equal(sha256(blob), inBill(RESOURCE));
    const fuse = program.indexOf(`${FUSE}:`);
    assert.equal(program.toString("latin1", fuse + FUSE.length, fuse + FUSE.length + 2), ":1");
    assert.equal(rawResource(readFileSync(node), RESOURCE), undefined);
  });
  await check("its executors run the script of the package, and compiled code of no other platform", async () => {
    const blob = rawResource(read("sallyport.exe"), RESOURCE)!;
    const script = "./app/serve.js";
    const folder = join(work, "app");
    mkdirSync(folder);
    await runScript(`tar -xzf '${release.path("-linux-x64.tar.gz")}' -C '${folder}' ${script.slice(2)}`);
    assert.ok(blob.includes(readFileSync(join(folder, script))));
    assert.ok(!blob.includes("serve.cache"));
    assert.ok(blob.includes("--disable-sigusr1") && blob.includes("--no-experimental-sqlite"));
  });
  await check("what updates bring to Windows is the same files with a note, and the manifest has them", async () => {
    const folder = join(work, "update");
    mkdirSync(folder);
    const archive = release.path("-windows-x64.tar.gz");
    await runScript(`tar -xzf '${archive}' -C '${folder}'`);
    assert.deepEqual(readdirSync(folder).sort(), [...NAMES, "release.json"].sort());
    for (const name of NAMES) assert.ok(readFileSync(join(folder, name)).equals(read(name)), name);
    const note = JSON.parse(readFileSync(join(folder, "release.json"), "utf8")) as { platform: string };
    assert.equal(note.platform, "windows-x64");
    const { files: listed } = manifest.parse(JSON.parse(readFileSync(join(release.folder, "manifest.json"), "utf8")));
    const found = listed.find(({ platform }) => platform === "windows-x64");
    assert.deepEqual([found?.name, found?.sha256], [basename(archive), sha256(readFileSync(archive))]);
  });
}

const NAMES = ["LICENSE", "THIRD-PARTY-NOTICES.txt", "koffi.node", "sallyport.exe", "sbom.cdx.json"];

interface Bill {
  readonly components: readonly {
    readonly name: string;
    readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  }[];
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
