/** The flags of NTLM that matter here [MS-NLMP 2.2.2.5]. */

export const FLAG = {
  unicode: 0x1,
  requestTarget: 0x4,
  sign: 0x10,
  seal: 0x20,
  ntlm: 0x200,
  alwaysSign: 0x8000,
  extendedSessionSecurity: 0x80000,
  targetInfo: 0x800000,
  version: 0x2000000,
  key128: 0x20000000,
  keyExchange: 0x40000000,
  key56: 0x80000000,
} as const;

const union = (...flags: readonly number[]): number => flags.reduce((all, flag) => (all | flag) >>> 0, 0);

const { alwaysSign, extendedSessionSecurity, key128, keyExchange, targetInfo, unicode } = FLAG;

/** What both sides have to agree on: less of it, and somebody between could have weakened it. */
const REQUIRED = union(unicode, extendedSessionSecurity, targetInfo, key128, keyExchange);
const PROTECTION = union(FLAG.sign, FLAG.seal);

/** `sealed`: every message afterwards is signed and encrypted. Over TLS it must not be: domain controllers refuse both at once. */
export const requestedFlags = (sealed: boolean): number =>
  union(REQUIRED, FLAG.requestTarget, FLAG.ntlm, alwaysSign, FLAG.version, sealed ? PROTECTION : 0);

export const requiredFlags = (sealed: boolean): number => union(REQUIRED, sealed ? PROTECTION : 0);

export const hasAll = (flags: number, needed: number): boolean => (flags & needed) >>> 0 === needed;
export const common = (a: number, b: number): number => (a & b) >>> 0;
