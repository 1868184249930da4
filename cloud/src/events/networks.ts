/**
 * Which addresses a webhook may be sent to. Only the public ones: whoever may name a URL must not reach the orchestrator's
 * own network by it, the platform's metadata service above all. A deployment names exceptions in SALLYPORT_WEBHOOK_NETWORKS.
 */
import { BlockList, isIP } from "node:net";

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** Whether this address may be called. Throws nothing: what is no address may not. */
export type Networks = (address: string) => boolean;

/** Not for the public Internet, or not for unicast: IANA's registries of special-purpose addresses (RFC 6890). */
const SPECIAL_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  // Azure's own: DNS, DHCP and the wire server of every virtual machine. It looks public.
  "168.63.129.16/32",
];
/** Of IPv6 only global unicast is public, and of it not what stands for something else: Teredo and such, documentation, 6to4. */
const PUBLIC_V6 = "2000::/3";
const SPECIAL_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const special = blockListOf([...SPECIAL_V4, ...SPECIAL_V6]);
const publicV6 = blockListOf([PUBLIC_V6]);

/** @param exceptions networks in CIDR that are allowed beside the public ones. Throws RangeError for what is none. */
export function allowedNetworks(exceptions: readonly string[]): Networks {
  const allowed = blockListOf(exceptions);
  return (address) => {
    const family = isIP(address);
    if (family === 0) return false;
    const kind = family === 4 ? "ipv4" : "ipv6";
    // An IPv4 address within an IPv6 one is outside of global unicast, so an exception for it has to say so itself.
    if (kind === "ipv6" && /^::ffff:/i.test(address)) return false;
    if (allowed.check(address, kind)) return true;
    if (special.check(address, kind)) return false;
    return kind === "ipv4" || publicV6.check(address, kind);
  };
}

/** Whether this is a list of networks as a setting holds it. */
export function areNetworks(text: string): boolean {
  try {
    allowedNetworks(networksOf(text));
    return true;
  } catch {
    return false;
  }
}

/** Networks separated by commas. */
export const networksOf = (text: string | undefined): string[] =>
  (text ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [, address = "", prefix = ""] = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(network) ?? [];
    const family = isIP(address);
    if (family === 0 || Number(prefix) > (family === 4 ? 32 : 128)) throw new RangeError(`not a network: ${network}`);
    list.addSubnet(address, Number(prefix), family === 4 ? "ipv4" : "ipv6");
  }
  return list;
}
