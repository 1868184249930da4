/** Sizes of MLKEM768-X25519 ("X-Wing", draft-ietf-hpke-pq), apart from the library: a supervisor checks keys without loading it. */

/** Bytes of a public key. */
export const PUBLIC_KEY_BYTES = 1216;
/** Bytes of an encapsulated secret. */
export const ENC_BYTES = 1120;
