/** Every way to sign in, against a controller that wants signed or encrypted connections (`ldap server require strong auth`). */
import assert from "node:assert/strict";
import { withDirectory } from "@sallyport/agent/src/connectors/ldap/open.ts";
import { searchAll } from "@sallyport/agent/src/connectors/ldap/query.ts";
import type { DirectoryTarget } from "@sallyport/agent/src/connectors/ldap/target.ts";
import type { Check } from "../suite.ts";
import { type Controller, DC, DOMAIN } from "./controller.ts";
import { kerberosOfOwn } from "./kerberos.ts";
import { PASSWORD, READER, REFUSED, STAFF, USERS, userName } from "./people.ts";

const PORTS = { required: 636, startTls: 389, sealed: 389 } as const;
export type Mode = keyof typeof PORTS;

export interface Credential {
  readonly user: string;
  readonly password: string;
}

export const targetOf = (
  { caPem }: Pick<Controller, "caPem">,
  mode: Mode,
  signIn: string,
  { user, password }: Credential = READER,
): DirectoryTarget => ({
  ...{ connection: "corp", host: "localhost", port: PORTS[mode], refuseOverPrivileged: false, requestId: "rq_test" },
  tls: { mode, ...(mode === "sealed" ? {} : { caPem }) },
  credential: { user, password, signIn },
});

/** How many objects stand right below the unit of everybody: before a sign-in nobody is shown any. */
export const countStaff = (target: DirectoryTarget): Promise<number> =>
  withDirectory(
    target,
    async ({ connection }) => {
      let count = 0;
      for await (const _ of searchAll(connection, { base: STAFF, scope: "one", attributes: ["mail"] }, 500)) count += 1;
      return count;
    },
    new AbortController().signal,
  );

const FORMS: readonly string[] = [READER.user, `${DOMAIN}\\${READER.account}`];
const DN_FORM = `CN=${READER.account},CN=Users,${DC}`;

type Way = readonly [mode: Mode, signIn: string, user: string];
const waysOf = (mode: Mode, signIn: string, forms = FORMS): Way[] => forms.map((user) => [mode, signIn, user]);

/** What Samba lets in with `require strong auth = yes`. */
const STRICT: readonly Way[] = [
  ...waysOf("required", "simple", [...FORMS, DN_FORM]),
  ...waysOf("startTls", "simple"),
  ...waysOf("sealed", "ntlm"),
];
/** SASL inside TLS: signed and sealed as well it is code 53, and without that code 8, unless Samba is told otherwise. */
const IN_TLS: readonly Way[] = [
  ...waysOf("required", "ntlm"),
  ...waysOf("startTls", "ntlm"),
  ...waysOf("required", "negotiate"),
  ...waysOf("startTls", "negotiate"),
];

/** With the words that only Kerberos needs. */
function signingIn(controller: Controller, [mode, signIn, user]: Way, password: string = PASSWORD) {
  const own = signIn === "negotiate" ? kerberosOfOwn() : undefined;
  const steps: string[] = [];
  const target: DirectoryTarget = {
    ...targetOf(controller, mode, signIn, { user, password }),
    onLogin: (step) => steps.push(step),
    ...(own === undefined ? {} : { kerberos: own.kerberos }),
  };
  return { target, steps, own };
}

export async function checkSignIns(check: Check, controller: Controller): Promise<void> {
  process.env.KRB5_CONFIG = controller.krb5Config;
  for (const way of STRICT) await checkWay(check, controller, way);
  await check("a simple sign-in on the port for clear text is refused here, before a byte is sent", async () => {
    const { target, steps } = signingIn(controller, ["sealed", "simple", READER.user]);
    await assert.rejects(countStaff(target), { code: "directory.clear_text" });
    assert.deepEqual(steps, []);
  });
  for (const way of IN_TLS.slice(0, 1)) {
    await check(`${nameOf(way)}: Samba's \`yes\` lets no SASL into TLS, and says so`, async () => {
      await assert.rejects(countStaff(signingIn(controller, way).target), { code: "directory.signing_required" });
    });
  }
  await checkRefused(check, controller, STRICT);
  await check("an account that was locked by wrong passwords is told from one with a wrong password", async () => {
    const locked: Way = ["required", "simple", `${userName(2)}@corp.example`];
    const codes: unknown[] = [];
    for (const password of ["wrong", "wrong", "wrong", PASSWORD]) {
      codes.push(await codeOf(signingIn(controller, locked, password).target));
    }
    const failed = "connection.login_failed";
    assert.deepEqual(codes, [failed, failed, failed, "connection.account_locked"]);
  });
  await controller.allowSaslInTls();
  for (const way of IN_TLS) await checkWay(check, controller, way);
  await checkRefused(check, controller, IN_TLS);
  await check(
    "Kerberos fails by its own code, and NTLM is not tried in its place, where no key server answers",
    async () => {
      process.env.KRB5_CONFIG = "/dev/null";
      const { target } = signingIn(controller, ["required", "negotiate", READER.user]);
      await assert.rejects(countStaff(target), { code: "directory.kerberos" });
      process.env.KRB5_CONFIG = controller.krb5Config;
    },
  );
}

const nameOf = ([mode, signIn, user]: Way): string => `${signIn} by ${mode} as ${user}`;

const checkWay = (check: Check, controller: Controller, way: Way): Promise<boolean> =>
  check(`${nameOf(way)}, and everybody is read`, async () => {
    const { target, steps, own } = signingIn(controller, way);
    assert.equal(await countStaff(target), USERS);
    assert.deepEqual(steps, ["sent", "accepted"]);
    await own?.ended;
    for (const line of own?.lines ?? []) assert.ok(!line.includes(PASSWORD) && !line.includes(READER.account));
  });

const ACCOUNT_CODES: Readonly<Record<string, { readonly ldap: string; readonly kerberos: string }>> = {
  disabled: { ldap: "directory.account_disabled", kerberos: "directory.account_disabled" },
  // To Kerberos both are revoked (KDC_ERR_CLIENT_REVOKED).
  expired: { ldap: "directory.account_expired", kerberos: "directory.account_disabled" },
  mustchange: { ldap: "directory.password_expired", kerberos: "directory.password_expired" },
};

/** Each account that may not, by each way: the right password gets its reason, a wrong one no more than that. */
async function checkRefused(check: Check, controller: Controller, ways: readonly Way[]): Promise<void> {
  const kinds = [...new Map(ways.map(([mode, signIn]) => [`${signIn} by ${mode}`, [mode, signIn] as const])).entries()];
  for (const [at, [name, [mode, signIn]]] of kinds.entries()) {
    // Each way one of its own: the third wrong password would lock it.
    const user = `${userName((ways === STRICT ? 10 : 20) + at)}@corp.example`;
    await check(`${name}: accounts that may not sign in are told why, a wrong password is not`, async () => {
      const codes: Record<string, unknown> = {};
      const expected: Record<string, unknown> = {};
      for (const account of Object.keys(REFUSED)) {
        const { target } = signingIn(controller, [mode, signIn, `${account}@corp.example`]);
        codes[account] = await codeOf(target);
        expected[account] = ACCOUNT_CODES[account]?.[signIn === "negotiate" ? "kerberos" : "ldap"];
      }
      const { target } = signingIn(controller, [mode, signIn, user], "wrong");
      assert.deepEqual([codes, await codeOf(target)], [expected, "connection.login_failed"]);
    });
  }
}

const codeOf = (target: DirectoryTarget): Promise<unknown> =>
  countStaff(target).then(
    () => "let in",
    (error) => error.code ?? error,
  );
