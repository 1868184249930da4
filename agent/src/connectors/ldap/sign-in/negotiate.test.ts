import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { makeAuthority } from "../../../../../test/emulators/tls/certificates.ts";
import { readBer } from "../ber.ts";
import type { Connection, Request } from "../connection.ts";
import type { Result } from "../message.ts";
import type { RootDse } from "../root-dse.ts";
import type { DirectoryTarget } from "../target.ts";
import { serverEndPoint } from "./channel-binding.ts";
import { element, explicitTag, octets, oid, TAG } from "./der.ts";
import type { KerberosFailure, KerberosLogin, KerberosStep } from "./kerberos.ts";
import { signInByKerberos } from "./negotiate.ts";
import { initToken } from "./spnego.ts";

const ROOT = { host: "dc1.corp.example", domain: "DC=corp,DC=example" } as RootDse;
const authority = await makeAuthority();
const { cert } = await authority.issue({ names: ["localhost"] });
const certificate = new X509Certificate(cert).raw;

const AP_REQ = Buffer.from("request");
const AP_REP = Buffer.from("reply");
const NTLM = "1.3.6.1.4.1.311.2.2.10";

const token = (state: number, ...fields: readonly Buffer[]): Buffer =>
  element(
    explicitTag(1),
    element(TAG.sequence, element(explicitTag(0), element(TAG.enumerated, Buffer.of(state))), ...fields),
  );
const reply = element(explicitTag(2), octets(AP_REP));

interface Story {
  readonly code?: number;
  readonly diagnostic?: string;
  readonly credentials?: Buffer;
  readonly first?: KerberosStep;
  readonly last?: KerberosStep;
  readonly user?: string;
  readonly certificate?: Buffer | undefined;
  readonly without?: true;
}

async function meet(story: Story) {
  const seen = {
    sent: [] as Buffer[],
    logins: [] as KerberosLogin[],
    answers: [] as Uint8Array[],
    steps: [] as string[],
  };
  const connection = {
    certificate: "certificate" in story ? story.certificate : certificate,
    isPrivate: true,
    async ask(request: Request) {
      seen.sent.push(request.write());
      const { code = 0, diagnostic = "", credentials = token(0, reply) } = story;
      const rest = readBer(element(0x87, credentials));
      return { code, matchedDn: "", diagnostic, referrals: [], controls: new Map(), rest } satisfies Result;
    },
  } as unknown as Connection;
  const target: DirectoryTarget = {
    ...{ connection: "corp", host: "localhost", port: 636, refuseOverPrivileged: false, requestId: "r" },
    tls: { mode: "required" },
    credential: { user: story.user ?? "kari@corp.example", password: "secret", signIn: "negotiate" },
    onLogin: (step) => seen.steps.push(step),
    ...(story.without === true ? {} : { kerberos: kerberosOf(story, seen) }),
  };
  const error = await signInByKerberos(connection, target, ROOT, new AbortController().signal).then(
    () => undefined,
    (thrown) => thrown,
  );
  return { ...seen, error };
}

const kerberosOf = (story: Story, seen: { logins: KerberosLogin[]; answers: Uint8Array[] }) => ({
  async start(login: KerberosLogin): Promise<KerberosStep> {
    seen.logins.push(login);
    return story.first ?? { token: AP_REQ, isDone: false };
  },
  async answer(answer: Uint8Array): Promise<KerberosStep> {
    seen.answers.push(answer);
    return story.last ?? { token: Buffer.alloc(0), isDone: true };
  },
});

test("a ticket goes in one bind, for the service and the TLS connection, and the directory's answer is looked at", async () => {
  const { error, sent, logins, answers, steps } = await meet({});
  assert.equal(error, undefined);
  assert.deepEqual(logins, [
    {
      ...{ login: "kari@corp.example", password: "secret", realm: "CORP.EXAMPLE", service: "ldap/dc1.corp.example" },
      channelBinding: serverEndPoint(certificate),
    },
  ]);
  assert.ok(sent.length === 1 && sent[0]!.includes(initToken("kerberos", AP_REQ)));
  assert.ok(!sent[0]!.includes(Buffer.from("NTLMSSP")) && !sent[0]!.includes(oid(NTLM)));
  assert.deepEqual([answers, steps], [[AP_REP], ["sent"]]);
});

test("what fails before the bind is told by its own code, and nothing is sent to the directory: no NTLM in its place", async () => {
  const codes: Record<KerberosFailure, string> = {
    refused: "connection.login_failed",
    locked: "directory.account_disabled",
    expiredAccount: "directory.account_expired",
    expiredPassword: "directory.password_expired",
    clockSkew: "directory.clock_skew",
    unreachable: "directory.kerberos",
    unknownService: "directory.kerberos",
    unavailable: "directory.kerberos",
    failed: "directory.kerberos",
  };
  for (const [why, code] of Object.entries(codes) as [KerberosFailure, string][]) {
    const { error, sent } = await meet({ first: { why, number: 1 } });
    assert.deepEqual([error.code, sent.length], [code, 0], why);
  }
});

test("a directory that takes another mechanism, wants more, says nothing or the wrong thing is not believed", async () => {
  const stories: Readonly<Record<string, Story>> = {
    another: { credentials: token(0, element(explicitTag(1), oid(NTLM)), reply) },
    more: { code: 14 },
    nothing: { credentials: Buffer.alloc(0) },
    refused: { credentials: token(2, reply) },
    "no proof": { credentials: token(0) },
    "not done": { last: { token: AP_REP, isDone: false } },
  };
  for (const [name, story] of Object.entries(stories)) {
    assert.equal((await meet(story)).error?.code, "directory.protocol", name);
  }
  const { error } = await meet({ last: { why: "failed", number: 5 } });
  assert.equal(error.code, "directory.kerberos");
});

test("outside TLS, without Kerberos, or as a distinguished name: refused before the password goes anywhere", async () => {
  const stories: readonly (readonly [Story, string])[] = [
    [{ user: "CN=kari,DC=corp,DC=example" }, "directory.login_form"],
    [{ user: "kari/admin@corp.example" }, "directory.login_form"],
    [{ without: true }, "directory.kerberos"],
    [{ certificate: undefined }, "directory.clear_text"],
  ];
  for (const [story, code] of stories) {
    const { error, steps, logins } = await meet(story);
    assert.deepEqual([error.code, steps, logins], [code, [], []]);
  }
});
