/**
 * A Debian package (deb(5)): an `ar` of two gzipped tars. Written here and not by dpkg-deb, so that any system makes one, and the
 * same one. gzip, because a dpkg before 1.21.18 knows no zstd and Node no xz.
 */
import { createHash } from "node:crypto";
import { complete, type Entry, file } from "./entries.ts";
import { gzipped, tar } from "./tar.ts";

export interface DebOptions {
  /** Fields of the control file; the installed size is added. */
  readonly control: string;
  /** `postinst`, `prerm`, … */
  readonly scripts: Readonly<Record<string, string>>;
  readonly entries: readonly Entry[];
  readonly epochSeconds: number;
}

export function deb({ control, scripts, entries, epochSeconds }: DebOptions): Buffer {
  const all = complete(entries);
  const options = { epochSeconds, prefix: "./" };
  const kibibytes = all.reduce(
    (sum, entry) => sum + (entry.kind === "file" ? Math.ceil(entry.bytes.length / 1024) : 1),
    0,
  );
  const md5sums = all.flatMap((entry) =>
    entry.kind === "file" ? [`${createHash("md5").update(entry.bytes).digest("hex")}  ${entry.path}\n`] : [],
  );
  const information = [
    file("control", `${control.trimEnd()}\nInstalled-Size: ${kibibytes}\n`),
    file("md5sums", md5sums.join("")),
    ...Object.entries(scripts).map(([name, text]) => file(name, text, 0o755)),
  ];
  return ar(
    [
      { name: "debian-binary", bytes: Buffer.from("2.0\n") },
      { name: "control.tar.gz", bytes: gzipped(tar(information, options)) },
      { name: "data.tar.gz", bytes: gzipped(tar(all, options)) },
    ],
    epochSeconds,
  );
}

interface Member {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The common `ar` format, names of 16 characters at most. */
function ar(members: readonly Member[], epochSeconds: number): Buffer {
  const parts = members.flatMap(({ name, bytes }) => {
    const fields = [name.padEnd(16), `${epochSeconds}`.padEnd(12), "0".padEnd(6), "0".padEnd(6), "100644".padEnd(8)];
    const header = `${fields.join("")}${`${bytes.length}`.padEnd(10)}\`\n`;
    return [Buffer.from(header), bytes, Buffer.from(bytes.length % 2 === 0 ? "" : "\n")];
  });
  return Buffer.concat([Buffer.from("!<arch>\n"), ...parts]);
}
