/**
 * Records `sealed-credential.json`: sealings by a known unseal key, and what must become of each. Sealing draws random bytes,
 * so the file is recorded once and never made anew.
 */
import { writeFileSync } from "node:fs";
import { generateSeededKey } from "@sallyport/shared/crypto/envelope.ts";
import { type CredentialText, sealCredential } from "@sallyport/shared/crypto/sealed-credential.ts";

const text: CredentialText = {
  ...{ user: "svc_sallyport", password: "pässword of the vector", signIn: "sql", kind: "mssql" },
  ...{ host: "sql01.corp.example", port: 1433, database: "ERP", tls: "required" },
};
const of = { tenant: "contoso", site: "oslo", connection: "erp" };
const unseal = await generateSeededKey();
const publicKey = Buffer.from(unseal.publicKey).toString("base64url");
const part = await sealCredential(text, of, publicKey);
const flip = (base64: string, at: number): string => {
  const bytes = Buffer.from(base64, "base64url");
  bytes[at]! ^= 1;
  return bytes.toString("base64url");
};
const { ciphertext, enc } = part;
const vectors = [
  { name: "as it was sealed", expect: "opens", of, part },
  { name: "for another tenant", expect: "refused", of: { ...of, tenant: "fabrikam" }, part },
  { name: "for another site", expect: "refused", of: { ...of, site: "bergen" }, part },
  { name: "for another connection", expect: "refused", of: { ...of, connection: "crm" }, part },
  {
    name: "letters moved from the site to the connection",
    expect: "refused",
    of: { ...of, site: "osl", connection: "oerp" },
    part,
  },
  {
    name: "the ciphertext's first byte altered",
    expect: "refused",
    of,
    part: { ...part, ciphertext: flip(ciphertext, 0) },
  },
  {
    name: "the tag altered",
    expect: "refused",
    of,
    part: { ...part, ciphertext: flip(ciphertext, Buffer.from(ciphertext, "base64url").length - 1) },
  },
  { name: "the encapsulated secret's first byte altered", expect: "refused", of, part: { ...part, enc: flip(enc, 0) } },
  {
    name: "the encapsulated secret's last byte altered",
    expect: "refused",
    of,
    part: { ...part, enc: flip(enc, 1119) },
  },
  {
    name: "cut by one byte",
    expect: "refused",
    of,
    part: { ...part, ciphertext: Buffer.from(ciphertext, "base64url").subarray(0, -1).toString("base64url") },
  },
  {
    name: "nothing but a tag",
    expect: "refused",
    of,
    part: { ...part, ciphertext: Buffer.alloc(16).toString("base64url") },
  },
];
const file = { unseal: { publicKey, seed: Buffer.from(unseal.seed).toString("base64url") }, text, vectors };
writeFileSync(new URL("sealed-credential.json", import.meta.url), `${JSON.stringify(file, null, 1)}\n`);
