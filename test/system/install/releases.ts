/** Two releases of one state of the sources, made in two folders. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import { drawPublisherKey } from "../../build/manifest.ts";
import { ROOT } from "../../build/root.ts";

/** Nothing that a release is made of, or much of it and never changed. */
const LEFT_OUT = new Set(["node_modules", "dist", ".git", ".sallyport", "bench"]);
/** Any time does; without `.git` nobody knows the commit's. */
const EPOCH = "1790000000";

export interface Release {
  readonly folder: string;
  readonly sums: string;
  /** Of the key that signed it. */
  readonly publicLine: string;
  /** A file with that key. */
  readonly key: string;
  /** The file whose name ends so. @throws where there is none */
  path(end: string): string;
}

/** Copies the sources once, and that copy once more, and makes a release in each. */
export async function makeTwice(folder: string): Promise<readonly [Release, Release]> {
  const [one, other] = [join(folder, "one"), join(folder, "elsewhere", "another")];
  mkdirSync(join(folder, "elsewhere"));
  cpSync(ROOT, one, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
  cpSync(one, other, { recursive: true });
  const { privateKey, publicLine } = drawPublisherKey();
  const key = join(folder, "publisher.pem");
  writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  return [await makeIn(one, key, publicLine), await makeIn(other, key, publicLine)];
}

async function makeIn(sources: string, key: string, publicLine: string): Promise<Release> {
  const folder = `${sources}-release`;
  const packages = ["node_modules", "cloud/node_modules"];
  const mounts = packages.map((name) => {
    mkdirSync(join(sources, name));
    return `mount --bind '${join(ROOT, name)}' '${join(sources, name)}'`;
  });
  const release = `exec '${process.execPath}' --disable-warning=ExperimentalWarning test/build/release/main.ts --windows --out '${folder}' --key '${key}'`;
  await runScript([`cd '${sources}'`, ...mounts, release].join(" && "), { SOURCE_DATE_EPOCH: EPOCH });
  return {
    folder,
    sums: readFileSync(join(folder, "SHA256SUMS"), "utf8"),
    ...{ publicLine, key },
    path(end) {
      const name = readdirSync(folder).find((each) => each.endsWith(end));
      if (name === undefined) throw new Error(`the release has no ${end}`);
      return join(folder, name);
    },
  };
}

/** A shell script in mounts of its own, which end with it. Answers what it printed. @throws with that where it fails */
export async function runScript(
  script: string,
  environment: Readonly<Record<string, string>> = {},
  input = "",
): Promise<string> {
  const child = spawn("unshare", ["--mount", "sh", "-c", script], {
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, TMPDIR: process.env.TMPDIR, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (code !== 0) throw new Error(`ended with ${code}: ${script}\n${stdout}${stderr}`);
  return stdout;
}
