/**
 * Opens a credential that the customer sealed, in the middle of its session: the supervisor turns the encapsulated secret
 * into a key, the text is opened here, and what it says of its target must be what the policy says.
 */
import { type CredentialText, openCredential } from "@sallyport/shared/crypto/sealed-credential.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type PlainCredential, plainCredential } from "@sallyport/shared/protocol/request.ts";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { hashLogin } from "../journal/login.ts";
import { type Allowed, type AllowedDirectory, decide } from "../policy/decide.ts";
import { findConnection, serverOf } from "../policy/find-connection.ts";
import type { Work } from "./judge.ts";
import type { Supervisor } from "./supervisor-link.ts";

type Serving = Extract<Work, { do: "serve" }>;
/** What may be done, with a login that is known. */
export type OpenedWork = Exclude<Work, Serving> | (Serving & { readonly credential: PlainCredential });

export interface UnsealDeps {
  readonly supervisor: Pick<Supervisor, "unseal" | "countLogin">;
  readonly policy: Policy;
  /** Key of the HMAC under which failed logins are counted. */
  readonly loginKey: Uint8Array;
  readonly now: Date;
}

/**
 * Work as it is, where there is nothing sealed; otherwise with the login that was, once the policy allows it too.
 * @throws credential.refused, credential.not_sealed, credential.target, policy.denied, limit.logins
 */
export async function openWork(work: Work, deps: UnsealDeps): Promise<OpenedWork> {
  if (work.do !== "serve") return work;
  const { connection, credential, allowed } = work;
  if (credential.form === "plain") return { ...work, credential };
  const { form: _form, ciphertext, ...sealed } = credential;
  const key = await deps.supervisor.unseal({ connection, ...sealed });
  const text = openCredential(key, { enc: credential.enc, ciphertext });
  key.fill(0);
  const opened = text && plainCredential.safeParse({ form: "plain", ...loginOf(text) }).data;
  if (text === undefined || opened === undefined) {
    throw new SallyportError("credential.refused", "The sealed credential does not open for this connection.");
  }
  refuseOtherTarget(text, allowed, findConnection(deps.policy, connection)?.kind);
  const { user, signIn } = opened;
  const login = { user, signIn, sealed: "opened" as const };
  const decision = decide(deps.policy, { ...work.asked, ...login }, deps.now);
  if ("deny" in decision) throw new SallyportError(decision.deny.code, decision.deny.reason);
  await deps.supervisor.countLogin(hashLogin(deps.loginKey, serverOf(deps.policy, connection), user, signIn));
  return work.kind === "mssql"
    ? { ...work, asked: { ...work.asked, ...login }, credential: opened }
    : { ...work, asked: { ...work.asked, ...login }, credential: opened };
}

const loginOf = ({ user, password, signIn }: CredentialText) => ({ user, password, signIn });

/** The first line of defence is that the address is the policy's; this one is that the customer sealed it for that. */
function refuseOtherTarget(
  text: CredentialText,
  { target }: Allowed | AllowedDirectory,
  kind: string | undefined,
): void {
  const expected = {
    kind,
    host: target.host,
    port: target.port,
    database: "database" in target ? target.database : null,
    tls: target.tls.mode,
  } as const;
  const fields = (Object.keys(expected) as (keyof typeof expected)[]).filter((name) => text[name] !== expected[name]);
  if (fields.length === 0) return;
  throw new SallyportError("credential.target", "The credential was sealed for another target than the policy's.", {
    fields,
  });
}
