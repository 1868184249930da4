/**
 * RC4, which NTLM seals by: OpenSSL 3 has it switched off. A broken cipher, which is why sealing on the port for clear
 * text has to be named by the owner and LDAPS is the default.
 */

/** Encrypts or decrypts the next bytes of one stream, into new bytes. */
export type Rc4 = (bytes: Uint8Array) => Buffer;

export function createRc4(key: Uint8Array): Rc4 {
  const box = Uint8Array.from({ length: 256 }, (_, index) => index);
  let other = 0;
  for (let at = 0; at < 256; at += 1) {
    const held = box[at]!;
    other = (other + held + key[at % key.byteLength]!) & 0xff;
    box[at] = box[other]!;
    box[other] = held;
  }
  let at = 0;
  let swap = 0;
  return (bytes) => {
    const out = Buffer.allocUnsafe(bytes.byteLength);
    for (let index = 0; index < bytes.byteLength; index += 1) {
      at = (at + 1) & 0xff;
      const held = box[at]!;
      swap = (swap + held) & 0xff;
      const other = box[swap]!;
      box[at] = other;
      box[swap] = held;
      out[index] = bytes[index]! ^ box[(held + other) & 0xff]!;
    }
    return out;
  };
}
