/** The emulator against a client that is not the product's: `ldapts` as it is. */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { type TestContext, test } from "node:test";
// biome-ignore lint/correctness/noUndeclaredDependencies: a client that is not the product's; `agent` declares it.
import { type BerReader, BerWriter, Client, Control } from "ldapts";
import { makeAuthority } from "../tls/certificates.ts";
import { type Ldap, type LdapOptions, startLdap } from "./start.ts";

const DOMAIN = "DC=corp,DC=example";
const PEOPLE = `OU=People,${DOMAIN}`;

async function start(
  t: TestContext,
  options: Partial<LdapOptions> = {},
): Promise<{ ldap: Ldap; client: Client; certificate: string }> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"] });
  const accounts = [{ dn: `CN=svc,${PEOPLE}`, principal: "svc@corp.example", name: "CORP\\svc", password: "right" }];
  const ldap = await startLdap({ tls, accounts, ...options });
  const client = new Client({ url: `ldaps://localhost:${ldap.ldapsPort}`, tlsOptions: { ca: authority.caPem } });
  t.after(async () => {
    await client.unbind();
    await ldap.close();
  });
  ldap.store.add(PEOPLE, "organizationalUnit");
  return { ldap, client, certificate: tls.cert };
}

const addPeople = (ldap: Ldap, count: number): void => {
  for (let at = 0; at < count; at += 1) ldap.store.add(`CN=p${at},${PEOPLE}`, "user", { sAMAccountName: `p${at}` });
};
const users = { filter: "(objectClass=user)", attributes: ["sAMAccountName"] };

test("a result of more than 1,000 entries is cut short with code 4, and whole in pages", async (t) => {
  const { ldap, client } = await start(t);
  addPeople(ldap, 1_001);
  await client.bind("svc@corp.example", "right");
  await assert.rejects(client.search(PEOPLE, users), { code: 4 });
  const { searchEntries } = await client.search(PEOPLE, { ...users, paged: { pageSize: 5_000 } });
  assert.equal(searchEntries.length, 1_001);
  const small = await client.search(PEOPLE, { ...users, sizeLimit: 10 });
  assert.equal(small.searchEntries.length, 10);
});

test("1,501 members come in two ranges, and references name other naming contexts", async (t) => {
  const { ldap, client } = await start(t);
  const member = Array.from({ length: 1_501 }, (_, at) => `CN=p${at},${PEOPLE}`);
  ldap.store.add(`CN=all,${PEOPLE}`, "group", { member });
  await client.bind("CORP\\svc", "right");
  const group = { filter: "(cn=all)", attributes: ["member"] };
  const { searchEntries, searchReferences } = await client.search(DOMAIN, group);
  assert.equal((searchEntries[0]!["member;range=0-1499"] as string[]).length, 1_500);
  assert.deepEqual(searchReferences.length, 2);
  const rest = await client.search(PEOPLE, { ...group, attributes: ["member;range=1500-*"] });
  assert.equal(rest.searchEntries[0]!["member;range=1500-*"], member[1_500]);
});

test("without a password a bind succeeds as nobody, who may read the root and nothing else", async (t) => {
  const { client } = await start(t);
  await client.bind("svc@corp.example", "");
  const { searchEntries } = await client.search("", { scope: "base", attributes: ["defaultNamingContext"] });
  assert.equal(searchEntries[0]?.defaultNamingContext, DOMAIN);
  await assert.rejects(client.search(PEOPLE, users), { code: 1 });
});

test("what a refused sign-in says has the sub-code; an unencrypted one is refused where that is demanded", async (t) => {
  const { ldap, client } = await start(t, { requiresSigning: true });
  await assert.rejects(client.bind("svc@corp.example", "wrong"), /data 52e, /);
  const clear = new Client({ url: `ldap://localhost:${ldap.ldapPort}` });
  t.after(() => clear.unbind());
  await assert.rejects(clear.bind("svc@corp.example", "right"), { code: 8 });
});

test("the schema is there, and every attribute that a class may have is one of it", async (t) => {
  const { ldap, client } = await start(t);
  await client.bind("svc@corp.example", "right");
  const schema = async (objectClass: string) =>
    (await client.search(ldap.store.schema, { filter: `(objectClass=${objectClass})`, scope: "one" })).searchEntries;
  const names = new Set((await schema("attributeSchema")).map(({ lDAPDisplayName }) => lDAPDisplayName));
  const classes = await schema("classSchema");
  assert.ok(classes.length >= 10);
  for (const { systemMayContain, systemMustContain } of classes) {
    for (const name of [systemMayContain ?? [], systemMustContain ?? []].flat())
      assert.ok(names.has(String(name)), String(name));
  }
});

/** The control of DirSync, which `ldapts` does not have. */
class DirSync extends Control {
  cookie = Buffer.alloc(0);
  isMore = false;
  constructor() {
    super("1.2.840.113556.1.4.841", { critical: true });
  }
  override writeControl(writer: BerWriter): void {
    const value = new BerWriter();
    value.startSequence();
    value.writeInt(-2147483647);
    value.writeInt(65_536);
    value.writeBuffer(this.cookie, 4);
    value.endSequence();
    writer.writeBuffer(value.buffer, 4);
  }
  override parseControl(reader: BerReader): void {
    reader.readSequence();
    this.isMore = reader.readInt() === 1;
    reader.readInt();
    this.cookie = Buffer.from(reader.readString(4, true) ?? []);
  }
}

test("DirSync gives everything in several answers, then what changed, was moved and went, and forgets cookies", async (t) => {
  const { ldap, client } = await start(t, { limits: { dirSync: 30 } });
  addPeople(ldap, 100);
  ldap.store.add(`CN=all,${PEOPLE}`, "group", { member: [`CN=p1,${PEOPLE}`, `CN=p2,${PEOPLE}`] });
  await client.bind("svc@corp.example", "right");
  const control = new DirSync();
  const all = { filter: "(|(objectClass=user)(objectClass=group))" };
  const round = async () => {
    const entries = [];
    let answers = 0;
    do {
      entries.push(...(await client.search(DOMAIN, all, control)).searchEntries);
      answers += 1;
    } while (control.isMore);
    return { entries, answers };
  };
  const first = await round();
  assert.deepEqual([first.entries.length, first.answers], [101, 4]);
  assert.deepEqual((await round()).entries, []);

  ldap.store.set(`CN=p1,${PEOPLE}`, { mail: "p1@corp.example" });
  ldap.store.move(`CN=p2,${PEOPLE}`, `CN=q2,${PEOPLE}`);
  ldap.store.remove(`CN=p3,${PEOPLE}`);
  ldap.store.set(`CN=all,${PEOPLE}`, { member: [`CN=p1,${PEOPLE}`, `CN=p4,${PEOPLE}`] });
  const { entries } = await round();
  const [changed, moved, gone, group] = entries;
  assert.equal(changed?.mail, "p1@corp.example");
  assert.equal(changed?.sAMAccountName, undefined);
  assert.deepEqual([moved?.dn, moved?.name], [`CN=q2,${PEOPLE}`, "q2"]);
  assert.deepEqual([gone?.isDeleted, gone?.lastKnownParent], ["TRUE", PEOPLE]);
  assert.deepEqual(group?.["member;range=1-1"], `CN=p4,${PEOPLE}`);
  assert.deepEqual(group?.["member;range=0-0"], `CN=p2,${PEOPLE}`);

  ldap.forgetCookies();
  await assert.rejects(round(), { code: 12 });
  control.cookie = Buffer.alloc(0);
  await assert.rejects(client.search(PEOPLE, all, control), { code: 53 });
});

test("a SASL sign-in is told which end point it has to name, and what Windows says where it names another", async (t) => {
  const bindings: (Buffer | undefined)[] = [];
  const { client, certificate } = await start(t, {
    sasl: ({ mechanism, token, binding }) => {
      bindings.push(binding);
      if (mechanism !== "GSS-SPNEGO") return undefined;
      return { refused: token.toString() === "other" ? "channelBinding" : "no" };
    },
  });
  await assert.rejects(client.bindSASL("GSS-SPNEGO", "other"), /^.*80090346: /);
  await assert.rejects(client.bindSASL("GSSAPI", "x"), { code: 7 });
  // The hash of the certificate's own signature, SHA-256 here, after the prefix [RFC 5929 4.1].
  const digest = createHash("sha256").update(new X509Certificate(certificate).raw).digest();
  const expected = Buffer.concat([Buffer.from("tls-server-end-point:"), digest]);
  assert.deepEqual(bindings, [expected, expected]);
});
