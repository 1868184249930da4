/** What the emulated controller says of itself [MS-ADTS 3.1.1.3.2]. */
import { octets, sequence, tlv } from "./ber.ts";
import { DESCRIPTOR_FLAGS, DIR_SYNC, PAGED, SHOW_DELETED } from "./search.ts";
import type { Emulated } from "./start.ts";
import { serviceName } from "./store.ts";

export function rootDse(emulated: Emulated, wanted: readonly string[], groups: readonly Buffer[]): Buffer {
  const { store, nowMs } = emulated;
  const host = store.domain.replace(/,?DC=/gi, ".").slice(1).toLowerCase();
  const time = `${new Date(nowMs()).toISOString().replace(/[-:T]/g, "").slice(0, 14)}.0Z`;
  const told: Readonly<Record<string, readonly (string | Buffer)[]>> = {
    currentTime: [time],
    defaultNamingContext: [store.domain],
    schemaNamingContext: [store.schema],
    configurationNamingContext: [store.configuration],
    namingContexts: [store.domain, store.configuration, store.schema],
    dnsHostName: [`dc1.${host}`],
    dsServiceName: [serviceName(store.configuration)],
    highestCommittedUSN: [String(store.usn)],
    supportedControl: [PAGED, DIR_SYNC, SHOW_DELETED, DESCRIPTOR_FLAGS],
    supportedLDAPVersion: ["3", "2"],
    supportedSASLMechanisms: ["GSSAPI", "GSS-SPNEGO", "EXTERNAL", "DIGEST-MD5"],
  };
  // Made only where it is named.
  const all = { ...told, tokenGroups: groups };
  const isWanted = (name: string): boolean => wanted.some((one) => one.toLowerCase() === name.toLowerCase());
  const shown = Object.entries(wanted.length === 0 ? told : all).filter(
    ([name]) => wanted.length === 0 || isWanted(name),
  );
  const list = shown
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => sequence(octets(name), tlv(0x31, ...values.map((value) => octets(value)))));
  return tlv(0x64, octets(""), sequence(...list));
}
