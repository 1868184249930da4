/** Everything that a release is, as files of one folder. */
import { execFileSync } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layoutIn } from "@sallyport/agent/src/install/layout.ts";
import { VERSION } from "@sallyport/agent/src/version.ts";
import { type ReleaseFile, releaseFile } from "@sallyport/shared/release/manifest.ts";
import { publicKeyLine, signMinisign } from "@sallyport/shared/release/minisign.ts";
import { buildAgent } from "../agent.ts";
import { buildCloud } from "../cloud.ts";
import { measure, type ReleaseOf, releaseNote, writeManifest } from "../manifest.ts";
import { ROOT } from "../root.ts";
import { agreeOnCodeCache } from "./code-cache.ts";
import { deb } from "./deb.ts";
import { file, filesOf, link } from "./entries.ts";
import { executableForWindows, executableHere } from "./executable.ts";
import { imageOf, rootFileSystem } from "./image.ts";
import { noticesOf, packagesOf } from "./packages.ts";
import { installedEntries, type Product, productOf } from "./product.ts";
import { provenanceOf, sourcesIn } from "./provenance.ts";
import { sbomOf, sha256 } from "./sbom.ts";
import { gzipped, tar } from "./tar.ts";
import { type ForWindows, windowsArtefacts } from "./windows.ts";
import { zip } from "./zip.ts";

export interface Artefact {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Who answers for a release: its agents take updates that this key has signed, and no others. */
export interface Publisher extends Omit<ReleaseOf, "version"> {
  /** Ed25519. */
  readonly key: KeyObject;
}

const PACKAGING = join(ROOT, "agent/install");
/** As Debian and OCI name what Node calls x64. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * Makes a release of this machine's platform in `folder`, which it empties first. What it makes depends on the sources, the
 * lockfile, the time of the last commit (or SOURCE_DATE_EPOCH), and for the image on this system's libraries, which its bill
 * names; on nothing else.
 * @param publisher without one nothing is signed, and the agent takes no update
 * @param forWindows also what Windows x64 installs; its inputs are fetched, and held against release/inputs.json. Needs wixl
 */
export async function makeRelease(
  folder: string,
  epochSeconds: number = releaseTime(),
  publisher?: Publisher,
  forWindows?: ForWindows,
): Promise<Artefact[]> {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== "linux" || architecture === undefined)
    throw new Error("Releases are made on Linux, x64 or arm64.");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const made: Artefact[] = [];
  const write = (name: string, content: Buffer | string): void => {
    const bytes = Buffer.from(content);
    writeFileSync(join(folder, name), bytes);
    made.push({ name, bytes: bytes.length, sha256: sha256(bytes) });
  };
  const work = mkdtempSync(join(tmpdir(), "sallyport-release-"));
  try {
    const releaseKeys = publisher === undefined ? [] : [publicKeyLine(publisher.key)];
    const agent = await buildAgent(join(work, "agent"), { releaseKeys });
    await agreeOnCodeCache(agent.folder);
    const product = productOf(agent, VERSION, epochSeconds);
    const update = writeAgent(product, architecture, epochSeconds, write);
    const of = { work, agent, version: VERSION, epochSeconds, releaseKeys };
    const updateOfWindows = await writeExecutables(product, of, forWindows, write);
    if (publisher !== undefined) {
      const { key, ...of } = publisher;
      writeManifest(folder, { version: VERSION, ...of }, [update, ...updateOfWindows], key);
    }
    await writeCloud(join(work, "cloud"), epochSeconds, write);
  } finally {
    rmSync(work, { recursive: true });
  }
  const byName = (a: Artefact, b: Artefact): number => (a.name < b.name ? -1 : 1);
  made.sort(byName);
  const decided = {
    ...{ windows: forWindows !== undefined, signed: publisher !== undefined, sourceDateEpoch: epochSeconds },
    authenticode: forWindows?.authenticode !== undefined,
  };
  write(`sallyport-${VERSION}.provenance.json`, provenanceOf(made, decided, sourcesIn()));
  made.sort(byName);
  const sums = Buffer.from(made.map((each) => `${each.sha256}  ${each.name}\n`).join(""));
  writeFileSync(join(folder, "SHA256SUMS"), sums);
  if (publisher !== undefined)
    writeFileSync(join(folder, "SHA256SUMS.minisig"), signMinisign(sums, publisher.key, `sallyport ${VERSION}`));
  return made;
}

type Write = (name: string, content: Buffer | string) => void;

/** Answers the manifest's part about what an update brings. */
function writeAgent(product: Product, architecture: string, epochSeconds: number, write: Write): ReleaseFile {
  const { version, packages, node } = product;
  const platform = `linux-${process.arch}`;
  const named = `sallyport-${version}-${platform}`;
  // What an update brings: the version's folder, files only.
  const files = [...product.entries, releaseNote(version, platform)];
  const update = gzipped(tar(files, { epochSeconds }));
  write(`${named}.tar.gz`, update);
  write(`${named}.cdx.json`, product.sbom);
  write(`sallyport_${version}_${architecture}.deb`, debOf(product, architecture, epochSeconds));
  const { entries, system } = rootFileSystem(product);
  const image = imageOf(entries, version, architecture, epochSeconds);
  write(`${named}-rootfs.tar.gz`, image.layer);
  write(`${named}-oci.tar`, image.archive);
  write(`${named}-image.cdx.json`, sbomOf({ name: "sallyport-image", version, epochSeconds, packages, node, system }));
  for (const name of ["Dockerfile", "compose.yaml", "kubernetes.yaml"])
    write(name, filled(join(PACKAGING, "container", name), { VERSION: version, NAMED: named }));
  return releaseFile.parse({ platform, name: `${named}.tar.gz`, ...measure(update, files) });
}

/** Linux as a tar, whose modes count; Windows as a zip, which it opens by itself. Answers the manifest's part about Windows' update. */
async function writeExecutables(
  product: Product,
  of: Parameters<typeof executableHere>[1],
  forWindows: ForWindows | undefined,
  write: Write,
): Promise<ReleaseFile[]> {
  const { version, epochSeconds } = of;
  const here = await executableHere(product, of);
  const named = `sallyport-${version}-linux-${process.arch}-executable`;
  write(`${named}.tar.gz`, gzipped(tar(here.entries, { epochSeconds })));
  write(`${named}.cdx.json`, here.sbom);
  if (forWindows === undefined) return [];
  const windows = await executableForWindows(product, of);
  const platform = "windows-x64";
  const namedThere = `sallyport-${version}-${platform}`;
  const work = join(of.work, "windows-artefacts");
  const { entries, msi } = await windowsArtefacts(windows, { ...forWindows, version, epochSeconds, work });
  write(`${namedThere}.zip`, zip(entries, epochSeconds));
  write(`${namedThere}.msi`, msi);
  write(`${namedThere}.cdx.json`, windows.sbom);
  const files = [...entries, releaseNote(version, platform)];
  const update = gzipped(tar(files, { epochSeconds }));
  write(`${namedThere}.tar.gz`, update);
  return [releaseFile.parse({ platform, name: `${namedThere}.tar.gz`, ...measure(update, files) })];
}

function debOf(product: Product, architecture: string, epochSeconds: number): Buffer {
  const { current, command } = layoutIn();
  const values = { VERSION: product.version, ARCHITECTURE: architecture };
  const script = (name: string) => [name, filled(join(PACKAGING, "deb", name), values)] as const;
  const copyright = product.entries.find(({ path }) => path === "THIRD-PARTY-NOTICES.txt");
  if (copyright?.kind !== "file") throw new Error("the product has no notices");
  return deb({
    control: filled(join(PACKAGING, "deb/control"), values),
    scripts: Object.fromEntries(["postinst", "prerm", "postrm"].map(script)),
    entries: [
      ...installedEntries(product),
      link(command.slice(1), `${current}/app/sallyport.mjs`),
      ...filesOf(join(ROOT, "docs"), "usr/share/doc/sallyport").filter(({ path }) => path.endsWith(".md")),
      file("usr/share/doc/sallyport/copyright", copyright.bytes),
    ],
    epochSeconds,
  });
}

async function writeCloud(folder: string, epochSeconds: number, write: Write): Promise<void> {
  const cloud = await buildCloud(folder);
  const packages = packagesOf(cloud.packages);
  const named = `sallyport-functions-${VERSION}`;
  const sbom = sbomOf({ name: "sallyport-functions", version: VERSION, epochSeconds, packages });
  const notices = file("THIRD-PARTY-NOTICES.txt", noticesOf("Sallyport's function app", packages));
  const files = filesOf(cloud.folder, "app").map((entry) => ({ ...entry, path: entry.path.slice("app/".length) }));
  write(`${named}.zip`, zip([...files, notices], epochSeconds));
  write(`${named}.cdx.json`, sbom);
}

/** A file of the packaging, with `@NAME@` filled in. @throws where a name is left */
function filled(path: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(path, "utf8").replaceAll(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${path} asks for ${name}`);
    return value;
  });
  return text;
}

/** https://reproducible-builds.org/specs/source-date-epoch/ */
export function releaseTime(environment: NodeJS.ProcessEnv = process.env): number {
  const given = environment.SOURCE_DATE_EPOCH;
  const text = given ?? execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }).trim();
  if (!/^\d{1,10}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is a number of seconds, not ${text}`);
  return Number(text);
}
