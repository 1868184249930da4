import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ROOT } from "../root.ts";
import { type Entry, file, link } from "./entries.ts";
import { fetchInput, INPUTS, type Input, readInputs } from "./inputs.ts";
import { gzipped, tar } from "./tar.ts";

const TOOL = Buffer.from("MZ, or nearly");
const packageJson = (name: string, version: string): Entry =>
  file("package/package.json", JSON.stringify({ name, version }));

/** An archive as the registry has it, and the line of release/inputs.json that a person would write for it. */
function published(entries: readonly Entry[]): { readonly archive: Buffer; readonly wanted: Input } {
  const archive = gzipped(tar(entries, { epochSeconds: 0 }));
  const wanted: Input = {
    ...{ name: "@scope/tool-win-x64", version: "1.2.3", file: "package/bin/tool.exe" },
    integrity: `sha512-${createHash("sha512").update(archive).digest("base64")}`,
    bytes: archive.length,
    unpackedBytes: 1000,
  };
  return { archive, wanted };
}

const plain = () => published([packageJson("@scope/tool-win-x64", "1.2.3"), file("package/bin/tool.exe", TOOL)]);

describe("inputs of a release", () => {
  let folder: string;
  let count = 0;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-inputs-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** As if the registry answered with these bytes. */
  async function fetched(wanted: Input, archive: Buffer): Promise<string> {
    count += 1;
    return await fetchInput(wanted, join(folder, `${count}`), async (specification, into) => {
      assert.equal(specification, "@scope/tool-win-x64@1.2.3");
      writeFileSync(join(into, "scope-tool.tgz"), archive);
    });
  }

  it("the wanted file has the package's bytes", async () => {
    const { archive, wanted } = plain();
    assert.deepEqual(readFileSync(await fetched(wanted, archive)), TOOL);
  });

  it("one other byte is refused before anything is unpacked", async () => {
    const { archive, wanted } = plain();
    const other = Buffer.from(archive);
    // The operating system's byte of the gzip header, which no unpacking would notice.
    other[9] = other[9]! ^ 1;
    await assert.rejects(fetched(wanted, other), /has the sum sha512-/);
    assert.deepEqual(readdirSync(join(folder, `${count}`, "@scope+tool-win-x64")), ["packed"]);
  });

  it("another size is refused before anything is read", async () => {
    const { archive, wanted } = plain();
    await assert.rejects(fetched(wanted, Buffer.concat([archive, Buffer.alloc(1)])), /bytes, not/);
  });

  it("another version, or another package, under a sum that fits is refused", async () => {
    for (const [name, version] of [
      ["@scope/tool-win-x64", "1.2.4"] as const,
      ["@other/tool-win-x64", "1.2.3"] as const,
    ]) {
      const { archive, wanted } = published([packageJson(name, version), file("package/bin/tool.exe", TOOL)]);
      await assert.rejects(fetched(wanted, archive), { message: new RegExp(`says that it is ${name}@${version}`) });
    }
  });

  it("a package without the wanted file is refused", async () => {
    const { archive, wanted } = published([packageJson("@scope/tool-win-x64", "1.2.3")]);
    await assert.rejects(fetched(wanted, archive), /holds no package\/bin\/tool\.exe/);
  });

  it("more than was announced, and what is no file, is refused", async () => {
    const { archive, wanted } = plain();
    await assert.rejects(fetched({ ...wanted, unpackedBytes: TOOL.length }, archive), /more than/);
    const linked = published([
      packageJson("@scope/tool-win-x64", "1.2.3"),
      link("package/bin/tool.exe", join(folder, "elsewhere")),
    ]);
    await assert.rejects(fetched(linked.wanted, linked.archive), /neither a file nor a folder/);
    assert.ok(!existsSync(join(folder, "elsewhere")));
  });

  it("nothing at all from the registry is refused", async () => {
    await assert.rejects(
      fetchInput(plain().wanted, join(folder, "nothing"), async () => {}),
      /no single archive/,
    );
  });

  it("what is pinned is Node as the Linux release has it, and the FFI as the lockfile has it", () => {
    const { windows } = readInputs();
    const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    assert.equal(windows.node.version, packages["node_modules/node"].version);
    const locked = packages[`node_modules/${windows.koffi.name}`];
    assert.deepEqual([windows.koffi.version, windows.koffi.integrity], [locked.version, locked.integrity]);
  });

  it("a list with a missing sum, a weaker one, or a file that leads out is refused", () => {
    const good = JSON.parse(readFileSync(INPUTS, "utf8"));
    const path = join(folder, "inputs.json");
    const { integrity: _, ...sumless } = good.windows.node;
    for (const node of [
      sumless,
      { ...good.windows.node, integrity: "sha1-BZM0NwrVAujDf9fwPo" },
      { ...good.windows.node, file: "package/../../node.exe" },
      { ...good.windows.node, version: "^24.0.0" },
    ]) {
      writeFileSync(path, JSON.stringify({ windows: { ...good.windows, node } }));
      assert.throws(() => readInputs(path));
    }
  });
});
