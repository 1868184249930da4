import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { ExtendedRequest } from "ldapts";
import { makeAuthority } from "../../../../../test/emulators/tls/certificates.ts";
import { connect } from "../connect.ts";
import type { Connection } from "../connection.ts";
import type { RootDse } from "../root-dse.ts";
import type { DirectoryTarget } from "../target.ts";
import { channelBindingHash, serverEndPoint } from "./channel-binding.ts";
import { signInByNtlm } from "./ntlm.ts";
import { type ControllerOptions, startController } from "./test-controller.ts";

const account = { user: "kari", domain: "CORP", password: "Fjord-2026-æøå" };
const ROOT = { host: "dc1.corp.example", domain: "DC=corp,DC=example" } as RootDse;
const DEADLINES = { connectMs: 20_000, signInMs: 20_000, answerMs: 20_000 };
const WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3";

interface Meeting {
  readonly connection: Connection;
  readonly came: readonly Buffer[];
  readonly steps: readonly string[];
}

async function meet(
  options: Partial<ControllerOptions>,
  credential: Partial<DirectoryTarget["credential"]>,
  work: (meeting: Meeting) => Promise<void> = async () => {},
  caPem?: string,
): Promise<void> {
  const controller = await startController({ account, ...options });
  const never = new AbortController();
  const steps: string[] = [];
  const target: DirectoryTarget = {
    ...{ connection: "corp", host: "localhost", port: controller.port, refuseOverPrivileged: false, requestId: "r" },
    tls: caPem === undefined ? { mode: "sealed" } : { mode: "required", caPem },
    credential: { user: "CORP\\kari", password: account.password, signIn: "ntlm", ...credential },
    onLogin: (step) => steps.push(step),
  };
  try {
    const connection = await connect(target, DEADLINES, never.signal);
    try {
      await signInByNtlm(connection, target, ROOT, never.signal);
      await work({ connection, came: controller.came, steps });
    } finally {
      connection.close();
    }
  } finally {
    await controller.close();
  }
}

const ask = (connection: Connection) => connection.ask(new ExtendedRequest({ messageId: 0, oid: WHO_AM_I }));

describe("on the port for clear text", () => {
  test("everything after the sign-in is sealed, in both directions", () =>
    meet({}, {}, async ({ connection, came, steps }) => {
      assert.equal(connection.isPrivate, true);
      const before = came.length;
      for (let nth = 0; nth < 3; nth += 1) assert.equal((await ask(connection)).code, 0);
      const sent = Buffer.concat(came.slice(before));
      assert.ok(sent.length > 0 && !sent.includes(WHO_AM_I));
      assert.deepEqual(steps, ["sent"]);
      const all = Buffer.concat(came);
      for (const encoding of ["utf8", "utf16le"] as const)
        assert.ok(!all.includes(Buffer.from(account.password, encoding)));
    }));

  test("a wrong password is told as such, after `sent`", async () => {
    await assert.rejects(meet({}, { password: "wrong" }), { code: "connection.login_failed" });
  });

  // Altered ones, as an altered answer: test/e2e/directory/failures.
  test("the MIC of the server's last token is wanted", async () => {
    await assert.rejects(meet({ spoilMic: () => undefined }, {}), { code: "directory.integrity" });
  });

  test("a sealed answer that is repeated or cut short ends the connection", async () => {
    let first: Buffer = Buffer.alloc(0);
    const spoils: readonly NonNullable<ControllerOptions["spoilSealed"]>[] = [
      (sealed, nth) => {
        if (nth === 0) first = sealed;
        return nth === 1 ? first : sealed;
      },
      (sealed) => sealed.subarray(0, 10),
    ];
    for (const spoilSealed of spoils) {
      await meet({ spoilSealed }, {}, async ({ connection }) => {
        await assert.rejects(
          async () => {
            await ask(connection);
            await ask(connection);
          },
          { code: "directory.integrity" },
        );
        await assert.rejects(ask(connection));
      });
    }
  });

  test("a server that takes another mechanism, or agrees to less, gets no proof of the password", async () => {
    const steps: string[] = [];
    await assert.rejects(meet({ mechanism: "1.2.840.113554.1.2.2" }, {}), { code: "directory.protocol" });
    await assert.rejects(
      meet({ without: 0x20 }, {}, async (meeting) => void steps.push(...meeting.steps)),
      { code: "directory.protocol" },
    );
    assert.deepEqual(steps, []);
  });

  test("a distinguished name is nobody to NTLM, said before anything is sent", async () => {
    await assert.rejects(meet({}, { user: "CN=kari,DC=corp,DC=example" }), { code: "directory.login_form" });
  });
});

describe("in TLS", async () => {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"] });
  const other = await authority.issue({ names: ["localhost"] });
  const bindingOf = ({ cert }: typeof tls): Buffer =>
    channelBindingHash(serverEndPoint(new X509Certificate(cert).raw)!);

  test("the sign-in is bound to the connection, and nothing is sealed a second time", () =>
    meet(
      { tls, bindingHash: bindingOf(tls) },
      {},
      async ({ connection, came }) => {
        const before = came.length;
        assert.equal((await ask(connection)).code, 0);
        assert.ok(Buffer.concat(came.slice(before)).includes(WHO_AM_I));
      },
      authority.caPem,
    ));

  test("a sign-in through another's certificate is refused by a server that looks", async () => {
    await assert.rejects(meet({ tls, bindingHash: bindingOf(other) }, {}, undefined, authority.caPem), {
      code: "directory.channel_binding",
    });
  });
});
