/** Reads what `strace -f` recorded of a process and its children, and judges whom they talked to. */

/** A system call where it began; a call that was interrupted by another process's line is one all the same. */
export interface Call {
  readonly pid: number;
  readonly name: string;
  /** From the bracket on. */
  readonly rest: string;
}

/** What strace is told to record: everything that names an address, or waits for somebody else to come. */
export const NETWORK_CALLS = "connect,bind,listen,accept,accept4,sendto,sendmsg,sendmmsg";

export interface Allowed {
  /** Ports on this machine: origin, relay, rendezvous, SQL Server. */
  readonly ports: ReadonlySet<number>;
  /** `host` of each name server. */
  readonly nameServers: ReadonlySet<string>;
}

const LINE = /^(\d+)\s+(?:[\d.]+\s+)?([a-z0-9_]+)\((.*)$/;

/** The calls of a trace in their order; exits, signals and the ends of interrupted calls are left out. */
export const parseTrace = (text: string): Call[] =>
  text.split("\n").flatMap((line) => {
    const match = LINE.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), name: match[2]!, rest: match[3]! }];
  });

/** Name services that a C library may ask on this machine. */
const LOCAL_NAME_SERVICES = /^\/(?:var\/)?run\/(?:nscd\/socket|systemd\/(?:resolve|userdb)\/)/;
const DNS_PORT = 53;

interface Target {
  readonly family: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** The socket address in a call's arguments; undefined where it has none. */
export function targetOf(rest: string): Target | undefined {
  const family = /sa_family=AF_([A-Z0-9]+)/.exec(rest)?.[1];
  if (family === undefined) return undefined;
  const host = /inet_addr\("([^"]*)"\)|inet_pton\(AF_INET6, "([^"]*)"/.exec(rest);
  return {
    family,
    host: host?.[1] ?? host?.[2] ?? "",
    port: Number(/sin6?_port=htons\((\d+)\)/.exec(rest)?.[1] ?? 0),
    path: /sun_path=(@?"[^"]*")/.exec(rest)?.[1]?.replace(/"/g, "") ?? "",
  };
}

/** One sentence for each call that an agent must not make. */
export const traceFaults = (calls: readonly Call[], allowed: Allowed): string[] =>
  calls.flatMap((call) => {
    const fault = faultOf(call, allowed);
    return fault === undefined ? [] : [`process ${call.pid} ${fault}`];
  });

function faultOf({ name, rest }: Call, allowed: Allowed): string | undefined {
  if (name === "listen" || name === "accept" || name === "accept4") return `called ${name}(${rest}`;
  const target = targetOf(rest);
  if (target === undefined || target.family === "NETLINK" || target.family === "UNSPEC") return undefined;
  const where = `${target.family} ${target.host || target.path}:${target.port}`;
  if (name === "bind") return target.port === 0 && target.family !== "UNIX" ? undefined : `bound ${where}`;
  return mayReach(target, allowed) ? undefined : `reached out to ${where} by ${name}`;
}

function mayReach({ family, host, port, path }: Target, { ports, nameServers }: Allowed): boolean {
  if (family === "UNIX") return LOCAL_NAME_SERVICES.test(path);
  if (port === DNS_PORT) return nameServers.has(host);
  return /^(127\.[\d.]+|::1|::ffff:127\.[\d.]+)$/.test(host) && ports.has(port);
}

/** Ports that a trace's `connect` calls name, for checks that something was recorded at all. */
export const portsReached = (calls: readonly Call[]): ReadonlySet<number> =>
  new Set(calls.flatMap(({ name, rest }) => (name === "connect" ? (targetOf(rest)?.port ?? []) : [])));

/** The name servers of a resolv.conf. */
export const nameServersOf = (resolvConf: string): ReadonlySet<string> =>
  new Set([...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!));
