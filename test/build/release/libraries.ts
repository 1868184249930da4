/** What an image from nothing needs of a system: the loader, the libraries of a few programs, and where each came from. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";

export interface SystemFile {
  /** In the image, relative. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly mode: number;
  /** The package that it is of, where the system knows that. */
  readonly origin?: Origin | undefined;
}

export interface Origin {
  readonly name: string;
  readonly version: string;
  /** https://github.com/package-url/purl-spec */
  readonly purl: string;
}

/** Programs of this system with all libraries that they, and `others`, are linked to (ldd(1)). */
export function systemFiles(programs: readonly string[], others: readonly string[]): SystemFile[] {
  const libraries = new Set([...programs, ...others].flatMap(linkedTo));
  return [...programs, ...[...libraries].sort()].map((path) => ({
    path: path.slice(1),
    bytes: readFileSync(path),
    mode: 0o755,
    origin: originOf(path),
  }));
}

/** `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)` */
function linkedTo(program: string): string[] {
  const printed = execFileSync("ldd", [program], { encoding: "utf8", env: { PATH: process.env.PATH, LC_ALL: "C" } });
  if (/not found/.test(printed)) throw new Error(`${program} needs what this system has not:\n${printed}`);
  return [...printed.matchAll(/(?:=>\s+|^\s+)(\/\S+)\s+\(0x/gm)].map(([, path]) => path!);
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in.
const FORMAT = "--showformat=${Version} ${Architecture}\\n";

/** Of a Debian; another system says nothing, and its files are named by their sums alone. */
function originOf(path: string): Origin | undefined {
  // Where /lib is a link to /usr/lib, packages name either.
  const candidates = [path, realpathSync(path), path.replace(/^\/usr\//, "/")];
  for (const each of candidates) {
    const owner = spawnSync("dpkg-query", ["--search", each], { encoding: "utf8" }).stdout ?? "";
    const name = /^([a-z0-9.+-]+)(?::[a-z0-9]+)?:/.exec(owner)?.[1];
    if (name === undefined) continue;
    const shown = spawnSync("dpkg-query", ["--show", FORMAT, name], {
      encoding: "utf8",
    });
    const [version = "", arch = ""] = shown.stdout.split("\n")[0]?.split(" ") ?? [];
    return {
      name,
      version,
      purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}`,
    };
  }
  return undefined;
}

/** Who holds which rights in these files, as each package of a Debian says in one file of its own. */
export function copyrightsOf(files: readonly SystemFile[]): SystemFile[] {
  const names = new Set(files.flatMap(({ origin }) => (origin === undefined ? [] : [origin.name])));
  return [...names].sort().flatMap((name) => {
    const path = `usr/share/doc/${name}/copyright`;
    return existsSync(`/${path}`) ? [{ path, bytes: readFileSync(`/${path}`), mode: 0o644 }] : [];
  });
}
