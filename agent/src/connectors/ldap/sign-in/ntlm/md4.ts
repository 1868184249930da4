/** MD4 [RFC 1320], which NTLM's keys begin with. OpenSSL 3 has it switched off; the SQL driver brings js-md4 for the same reason. */
import library from "js-md4";

/** Answers the digest of 16 bytes. Its `hex` and its call with a string would ask OpenSSL. */
export const md4 = (bytes: Uint8Array): Buffer => Buffer.from(library.arrayBuffer(bytes));
