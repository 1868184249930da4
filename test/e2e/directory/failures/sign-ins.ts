/** Sign-ins that a directory refuses, told by the numbers in its answer, and those that end otherwise. */
import { connect } from "@sallyport/agent/src/connectors/ldap/connect.ts";
import { readRootDse } from "@sallyport/agent/src/connectors/ldap/root-dse.ts";
import { signInByNtlm } from "@sallyport/agent/src/connectors/ldap/sign-in/ntlm.ts";
import {
  type ControllerOptions,
  startController,
} from "@sallyport/agent/src/connectors/ldap/sign-in/test-controller.ts";
import type { DirectoryTarget } from "@sallyport/agent/src/connectors/ldap/target.ts";
import { int, octets, sequence, tlv } from "../../../emulators/ldap/ber.ts";
import type { Account } from "../../../emulators/ldap/start.ts";
import type { Failure } from "./failure.ts";
import { LOGIN, type Stage } from "./stage.ts";

const BIND = 0x60;

/** The directory answers the sign-in with this result, as Windows writes it. */
const bindAnswers = (code: number, diagnostic: string) => async (stage: Stage) => {
  const { ldap, target } = await stage.directory();
  ldap.emulated.onMessage = ({ id, tag, send }) => {
    if (tag !== BIND) return undefined;
    send(sequence(int(id), tlv(0x61, int(code, 0x0a), octets(""), octets(diagnostic))));
    return "swallow";
  };
  await stage.open(target());
};

/** The emulator's account is like this, and the password the right one. */
const withState = (state: Account["state"]) => async (stage: Stage) => {
  const { account, target } = await stage.directory();
  Object.assign(account, { state });
  await stage.open(target());
};

type SubCode = Pick<Failure, "name" | "code" | "message"> & {
  readonly data: string;
  /** Of the emulator's account; without it the answer is written here. */
  readonly state?: Account["state"];
  /** Told only to who knows the password. */
  readonly wasRight?: true;
};

const rowOf = ({ data, state, wasRight, ...told }: SubCode): Failure => ({
  ...told,
  ...{ ends: "answer", wire: "tls", detail: { number: 49, state: data } },
  login: wasRight === true ? ["sent", "accepted"] : ["sent"],
  // A longer number stands before the text, and the `data` then says less.
  meet:
    state !== undefined
      ? withState(state)
      : data.length > 3
        ? bindAnswers(49, `${data}: LdapErr: DSID-0C090587, comment: AcceptSecurityContext error, data 0, v4563\0`)
        : bindAnswers(
            49,
            `80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data ${data}, v4563\0`,
          ),
});

const SUB_CODES: readonly SubCode[] = [
  {
    name: "a wrong password (`52e`)",
    data: "52e",
    code: "connection.login_failed",
    message: "The directory refused the login.",
  },
  {
    name: "a user that there is not (`525`)",
    data: "525",
    code: "connection.login_failed",
    message: "The directory refused the login.",
  },
  {
    name: "an account with restrictions (`52f`)",
    data: "52f",
    code: "directory.workstation",
    message: "The account has restrictions that do not let it sign in here.",
  },
  {
    name: "out of hours (`530`)",
    data: "530",
    state: "logonHours",
    code: "directory.logon_hours",
    message: "The account may not sign in at this hour.",
    wasRight: true,
  },
  {
    name: "from another machine (`531`)",
    data: "531",
    state: "workstation",
    code: "directory.workstation",
    message: "The account may not sign in from this machine.",
    wasRight: true,
  },
  {
    name: "an expired password (`532`)",
    data: "532",
    state: "passwordExpired",
    code: "directory.password_expired",
    message: "The account's password has expired.",
    wasRight: true,
  },
  {
    name: "a disabled account (`533`)",
    data: "533",
    state: "disabled",
    code: "directory.account_disabled",
    message: "The account is disabled.",
    wasRight: true,
  },
  {
    name: "an expired account (`701`)",
    data: "701",
    state: "expired",
    code: "directory.account_expired",
    message: "The account has expired.",
    wasRight: true,
  },
  {
    ...{ name: "a password that must be changed first (`773`)", data: "773", state: "mustChange", wasRight: true },
    ...{ code: "directory.password_expired", message: "The account's password must be changed first." },
  },
  {
    name: "a locked account (`775`)",
    data: "775",
    state: "locked",
    code: "connection.account_locked",
    message: "The account is locked out.",
  },
  {
    ...{ name: "a channel binding that is missing or another's (`80090346`)", data: "80090346" },
    ...{ code: "directory.channel_binding", message: "The directory refused the sign-in's channel binding." },
  },
];

/** A controller of NTLM on the port for clear text, whose answers are spoiled on their way. */
const sealed = (spoil: Partial<ControllerOptions>) => async (stage: Stage) => {
  const account = { user: "kari", domain: "CORP", password: LOGIN.password };
  const controller = await startController({ account, ...spoil });
  const target: DirectoryTarget = {
    ...{ connection: "corp", host: "localhost", port: await stage.through(controller.port), requestId: "rq_1" },
    ...{ refuseOverPrivileged: false, tls: { mode: "sealed" } },
    credential: { user: "CORP\\kari", password: LOGIN.password, signIn: "ntlm" },
  };
  const root = { host: "dc1.corp.example", domain: "DC=corp,DC=example" };
  const never = new AbortController().signal;
  try {
    const connection = await connect(target, stage.deadlines, never);
    try {
      await signInByNtlm(connection, target, root as Parameters<typeof signInByNtlm>[2], never);
      await readRootDse(connection);
    } finally {
      connection.close();
    }
  } finally {
    await controller.close();
  }
};
const altered = (bytes: Buffer): Buffer =>
  Buffer.from(bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)));

export const SIGN_INS: readonly Failure[] = [
  ...SUB_CODES.map(rowOf),
  {
    name: "a directory that wants signed connections (result 8)",
    code: "directory.signing_required",
    message: "The directory wants signed or encrypted connections.",
    ...{ ends: "answer", wire: "tls", login: ["sent"] },
    meet: bindAnswers(8, "00002028: LdapErr: DSID-0C09023E, comment: integrity checking, data 0, v4563\0"),
  },
  {
    name: "a directory that does not know the way to sign in (result 7)",
    code: "directory.unsupported",
    message: "The directory does not know this way to sign in.",
    ...{ ends: "answer", wire: "tls", login: ["sent"] },
    meet: bindAnswers(7, "00002027: LdapErr: DSID-0C090444, comment: unknown, data 0, v4563\0"),
  },
  {
    name: "silence on the sign-in",
    code: "directory.timeout",
    message: "The directory did not answer in time.",
    ...{ ends: "signInMs", wire: "tls", login: ["sent"] },
    async meet(stage) {
      const { ldap, target } = await stage.directory();
      ldap.emulated.onMessage = ({ tag }) => (tag === BIND ? "swallow" : undefined);
      await stage.open(target());
    },
  },
  ...[-6, 6].map(
    (minutes): Failure => ({
      name: `a controller's clock that is ${Math.abs(minutes)} minutes ${minutes < 0 ? "behind" : "ahead"}`,
      code: "directory.clock_skew",
      message: "The domain controller's clock says …, this machine's ….",
      ...{ ends: "answer", wire: "tls", login: [] },
      async meet(stage) {
        const { target } = await stage.directory({ nowMs: () => Date.now() + minutes * 60_000 });
        await stage.open(target());
      },
    }),
  ),
  {
    name: "a login that rules the domain",
    code: "connection.over_privileged",
    message: "The login is a member of a group that rules the domain.",
    ...{ ends: "answer", wire: "tls", login: ["sent", "accepted"] },
    async meet(stage) {
      const { account, target } = await stage.directory();
      Object.assign(account, { groups: ["S-1-5-32-544"] });
      await stage.open(target({ refuseOverPrivileged: true }));
    },
  },
  {
    name: "a last word of the sign-in with another's MIC",
    code: "directory.integrity",
    message: "The directory's end of the sign-in does not bear the right mark.",
    ...{ ends: "answer", wire: "sealed" },
    meet: sealed({ spoilMic: altered }),
  },
  {
    name: "a sealed answer that was altered on its way",
    code: "directory.integrity",
    message: "A message of the directory was altered, lost or repeated.",
    ...{ ends: "answer", wire: "sealed" },
    meet: sealed({ spoilSealed: altered }),
  },
];
