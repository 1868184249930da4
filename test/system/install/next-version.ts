/** Next versions of a release: the same program with another number in it, packed anew and signed by the same publisher. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { releaseFile } from "@sallyport/shared/release/manifest.ts";
import { MANIFEST, measure, readPublisherKey, SIGNATURE, writeManifest } from "../../build/manifest.ts";
import { filesOf } from "../../build/release/entries.ts";
import type { Stack } from "../../stack/start.ts";
import { type Release, runScript } from "./releases.ts";

/** Where the bundle says its version: once, in whatever chunk that is. */
const SAID = `name:"@sallyport/agent",version:"${VERSION}"`;

/** The platform team adds it, uploads its archive, and lets it go everywhere. @param main instead of the program's own */
export async function publishNext(
  { api }: Stack,
  release: Release,
  folder: string,
  version: string,
  main?: string,
): Promise<void> {
  const made = join(folder, `next-${version}`);
  const program = join(made, "program");
  mkdirSync(program, { recursive: true });
  try {
    await runScript(`tar -xzf '${release.path("-linux-x64.tar.gz")}' -C '${program}'`);
    renumber(join(program, "app"), version);
    if (main !== undefined) writeFileSync(join(program, "app/sallyport.mjs"), main, { mode: 0o755 });
    const platform = `${process.platform}-${process.arch}`;
    const name = `sallyport-${version}-${platform}.tar.gz`;
    writeFileSync(join(program, "release.json"), JSON.stringify({ version, platform }));
    // By programs, so that nobody here waits for it.
    await runScript(`cd '${program}' && tar --format=ustar -cf - * | gzip -1 > '${join(made, name)}'`);
    const file = releaseFile.parse({
      platform,
      name,
      ...measure(readFileSync(join(made, name)), filesOf(program, ".")),
    });
    const of = { channel: "stable", ring: "broad", minimum: VERSION, notBefore: new Date(0) } as const;
    writeManifest(made, { version, ...of }, [file], readPublisherKey(release.key));
    const texts = [MANIFEST, SIGNATURE].map((name) => readFileSync(join(made, name), "utf8"));
    const [manifest, signature] = texts as [string, string];
    type Added = { upload: { name: string; url: string }[] };
    const { upload } = await api.post<Added>("/releases", { manifest, signature });
    for (const { name, url } of upload) {
      const headers = { "x-ms-blob-type": "BlockBlob" };
      const answer = await fetch(url, { method: "PUT", body: readFileSync(join(made, name)), headers });
      assert.equal(answer.status, 201, await answer.text());
    }
    await api.put(`/releases/stable/${version}/ring`, { ring: "broad" });
  } finally {
    rmSync(made, { recursive: true });
  }
}

function renumber(app: string, version: string): void {
  const chunks = readdirSync(app).filter((name) => name.endsWith(".mjs"));
  const said = chunks.map((name) => join(app, name)).filter((path) => readFileSync(path, "utf8").includes(SAID));
  assert.equal(said.length, 1, "one chunk says the version");
  const [chunk] = said as [string];
  writeFileSync(chunk, readFileSync(chunk, "utf8").replace(SAID, SAID.replace(VERSION, version)));
}
