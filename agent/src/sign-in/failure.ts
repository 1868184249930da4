/** What Kerberos' error numbers mean for a sign-in. */
import type { SignInFailure } from "../pipe/sign-in-messages.ts";

/** The table of krb5's errors begins here (com_err, `ERROR_TABLE_BASE_krb5`); RFC 4120, 7.5.9 has the numbers up to 127. */
const KRB5_BASE = -1_765_328_384;

const BY_KDC_NUMBER: Readonly<Record<number, SignInFailure>> = {
  1: "expiredAccount",
  6: "refused",
  7: "unknownService",
  18: "locked",
  23: "expiredPassword",
  24: "refused",
  31: "refused",
  37: "clockSkew",
  /** KRB5_KDC_UNREACH, KRB5_REALM_UNKNOWN, KRB5_REALM_CANT_RESOLVE */
  156: "unreachable",
  154: "unreachable",
  164: "unreachable",
};

/** @param minor as MIT's library gives it: unsigned */
export const failureOfKrb5 = (minor: number): SignInFailure => BY_KDC_NUMBER[(minor | 0) - KRB5_BASE] ?? "failed";

/** SECURITY_STATUS of SSPI [MS-ERREF 2.1.1]. */
const BY_SECURITY_STATUS: Readonly<Record<number, SignInFailure>> = {
  2148074252: "refused",
  2148074254: "refused",
  2148074243: "unknownService",
  2148074257: "unreachable",
  2148074276: "clockSkew",
  2148074245: "unavailable",
};

export const failureOfSspi = (status: number): SignInFailure => BY_SECURITY_STATUS[status >>> 0] ?? "failed";
