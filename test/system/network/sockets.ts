/** The sockets of a process: its descriptors, joined with the kernel's tables of the network. */
import { readdirSync, readFileSync } from "node:fs";
import { descriptor } from "../processes.ts";

export interface Address {
  /** Dotted or with colons; of a Unix socket its path. */
  readonly host: string;
  readonly port: number;
}

export interface Endpoint {
  readonly protocol: "tcp" | "udp" | "unix";
  /** `listening`: takes connections, or datagrams from anyone. */
  readonly state: "listening" | "connected" | "other";
  readonly local: Address;
  readonly remote: Address;
  readonly inode: string;
}

const TCP_LISTEN = "0A";
const CLOSED = "07";

/** Parses /proc/net/tcp, tcp6, udp or udp6. A UDP socket that is bound and not connected hears anyone. */
export function parseTable(protocol: "tcp" | "udp", text: string): Endpoint[] {
  return text
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/) as string[];
      const ends = { local: parseAddress(local!), remote: parseAddress(remote!) };
      const hears = protocol === "tcp" ? state === TCP_LISTEN : state === CLOSED && ends.local.port !== 0;
      const meant = ends.remote.port === 0 ? "other" : "connected";
      return { protocol, state: hears ? "listening" : meant, ...ends, inode: inode! };
    });
}

/** Parses /proc/net/unix. Its flag 0x10000 (SO_ACCEPTCON) says that the socket listens. */
export function parseUnixTable(text: string): Endpoint[] {
  return text
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, , , flags, , , inode, path = ""] = line.trim().split(/\s+/) as string[];
      const hears = (Number.parseInt(flags!, 16) & 0x10000) !== 0;
      const none = { host: "", port: 0 };
      return {
        protocol: "unix",
        state: hears ? "listening" : "other",
        local: { host: path, port: 0 },
        remote: none,
        inode: inode!,
      };
    });
}

/** Words of 32 bits in the machine's order, here little-endian: `0100007F:0050` is 127.0.0.1:80. */
function parseAddress(text: string): Address {
  const [hex, port] = text.split(":") as [string, string];
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, "hex").reverse()]);
  const v6 = Array.from({ length: bytes.length / 2 }, (_, index) =>
    ((bytes[2 * index]! << 8) | bytes[2 * index + 1]!).toString(16),
  );
  return { host: bytes.length === 4 ? bytes.join(".") : v6.join(":"), port: Number.parseInt(port, 16) };
}

/** All sockets that a process holds now, in its own network. */
export function endpointsOf(pid: number): Endpoint[] {
  const inodes = new Set(socketInodes(pid));
  const table = (name: string) => {
    try {
      return readFileSync(`/proc/${pid}/net/${name}`, "utf8");
    } catch {
      return "";
    }
  };
  return [
    ...["tcp", "tcp6"].flatMap((name) => parseTable("tcp", table(name))),
    ...["udp", "udp6"].flatMap((name) => parseTable("udp", table(name))),
    ...parseUnixTable(table("unix")),
  ].filter(({ inode }) => inodes.has(inode));
}

function socketInodes(pid: number): string[] {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
  return names.flatMap((fd) => /^socket:\[(\d+)\]$/.exec(descriptor(pid, Number(fd)) ?? "")?.[1] ?? []);
}

/** One sentence for each endpoint that listens, or is connected to an address that is not allowed. */
export function socketFaults(endpoints: readonly Endpoint[], allowed: ReadonlySet<number>): string[] {
  return endpoints.flatMap(({ protocol, state, local, remote }) => {
    if (state === "listening") return [`listens on ${protocol} ${local.host}:${local.port}`];
    if (state === "connected" && !(isLoopback(remote.host) && allowed.has(remote.port)))
      return [`is connected to ${remote.host}:${remote.port}`];
    return [];
  });
}

export const isLoopback = (host: string): boolean =>
  /^127\./.test(host) || host === "::1" || /^0:0:0:0:0:(0:0:1|ffff:7f[0-9a-f]{2}:[0-9a-f]+)$/.test(host);
