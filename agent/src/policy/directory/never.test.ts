import assert from "node:assert/strict";
import { test } from "node:test";
import { isProtectedClass, isProtectedSid } from "@sallyport/shared/directory/protected.ts";
import { adWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { isAccountSwitch, isNeverFilteredBy, isNeverRead, isNeverWritten } from "./never.ts";
import { whyNeverWritten } from "./write.ts";

test("what is never read is neither filtered by nor written, by name, in any case, and by OID", () => {
  for (const name of [
    "unicodePwd",
    "UNICODEPWD",
    "1.2.840.113556.1.4.90",
    "msLAPS-Whatever",
    "1.2.840.113556.1.6.44.9",
    "trustAuthX",
    // Some applications keep passwords in clear there, and roaming certificates bring their keys.
    "userPassword",
    "1.2.840.113556.1.4.1910",
    "msPKIAccountCredentials",
    // Of this one every password of a managed service account is made.
    "msKds-RootKeyData",
  ]) {
    assert.ok(isNeverRead(name) && isNeverFilteredBy(name) && isNeverWritten(name), name);
  }
  for (const name of ["mail", "sAMAccountName", "2.5.4.3", "unicodePw", "pwdLastSet"]) {
    assert.ok(!isNeverRead(name) && !isNeverFilteredBy(name) && !isNeverWritten(name), name);
  }
});

test("what may be read need not be written", () => {
  for (const name of [
    "sIDHistory",
    "servicePrincipalName",
    "msDS-AllowedToAnything",
    "gPLink",
    "member",
    "2.5.4.31",
    "adminCount",
    "msDS-GroupMSAMembership",
    "1.2.840.113556.1.4.2200",
    "gPCFileSysPath",
    "userParameters",
    "msTSInitialProgram",
    "msDS-ManagedAccountPrecededByLink",
    "msDS-DelegatedMSAState",
    "dNSHostName",
    "1.2.840.113556.1.4.619",
    "ms-DS-MachineAccountQuota",
    "msPKI-Certificate-Name-Flag",
    "1.2.840.113556.1.4.1430",
    "msPKI-Anything",
    "pKIExtendedKeyUsage",
  ]) {
    assert.ok(!isNeverRead(name) && isNeverWritten(name), name);
  }
});

test("an account is switched on and off, and nothing more", () => {
  for (const value of ["0", "2", "512", "514"]) assert.ok(isAccountSwitch(value), value);
  for (const value of ["", "-2", "0x202", "66048", "8192", "4194816", "514 ", "1e2", "4294967298"]) {
    assert.ok(!isAccountSwitch(value), value);
  }
});

test("the domain's own powers are known by the end of their SIDs", () => {
  const domain = "S-1-5-21-1004336348-1177238915-682003330";
  assert.ok(isProtectedSid(domain), "the domain itself");
  for (const rid of [498, 500, 502, 512, 516, 517, 518, 519, 520, 521, 525, 526, 527])
    assert.ok(isProtectedSid(`${domain}-${rid}`));
  for (const rid of [501, 513, 1104]) assert.ok(!isProtectedSid(`${domain}-${rid}`));
  for (const rid of [544, 548, 549, 550, 551, 552, 557, 578]) assert.ok(isProtectedSid(`S-1-5-32-${rid}`));
  assert.ok(!isProtectedSid("S-1-5-32-545"));
  assert.ok(!isProtectedSid(`${domain}-500-1`));
});

test("what rules a domain without being anybody is known by its class", () => {
  for (const name of ["domainDNS", "DOMAINDNS", "pKICertificateTemplate", "1.2.840.113556.1.5.177", "trustedDomain"])
    assert.ok(isProtectedClass(name), name);
  for (const name of ["user", "group", "computer", "organizationalUnit", "domain"]) assert.ok(!isProtectedClass(name));
});

test("no rule adds or changes an object of such a class", () => {
  const attributes = { flags: ["1"] };
  const add = { op: "ad.write", action: "add", object: "CN=x,DC=corp", attributes };
  assert.equal(whyNeverWritten(adWrite.parse({ ...add, class: "container" })), undefined);
  assert.match(
    whyNeverWritten(adWrite.parse({ ...add, class: "1.2.840.113556.1.5.177" })) ?? "",
    /5\.177 is never written/,
  );
  const remove = { op: "ad.write", action: "delete", object: "CN=x,DC=corp" };
  assert.match(whyNeverWritten(adWrite.parse({ ...remove, class: "groupPolicyContainer" })) ?? "", /is never written/);
});
