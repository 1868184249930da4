/**
 * The supervisor's part in a credential that the customer sealed: it turns one encapsulated secret into one key, once a
 * session, for the connection that the session's journal line names, by a grant of the orchestrator's for the hello that
 * it signed itself. So a compromised executor alone gets no other credential; and the text never comes here.
 */
import type { KeyObject } from "node:crypto";
import { unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import { fromBase64url, toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { grantFault } from "@sallyport/shared/protocol/grant.ts";
import type { Journal } from "../journal/journal.ts";
import type { UnsealKey } from "../keys.ts";
import { keysByKid } from "../pinning.ts";
import type { RequestReport, ToSupervisor, UnsealReport } from "../pipe/messages.ts";
import type { Pinned } from "../state.ts";
import type { Executor } from "./executors.ts";

export interface UnsealDeps {
  readonly journal: Pick<Journal, "append">;
  readonly pinned: Pick<Pinned, "tenant" | "site" | "keys">;
  /** Digest of the policy in force. */
  readonly policy: string;
  /** Read when it is wanted: most sessions bring nothing sealed. */
  readonly unsealKey: () => UnsealKey;
  /** A session that was told to stop opens nothing any more. */
  readonly whyStopped: () => SallyportError | undefined;
}

/** What the session is, by the supervisor's own facts. */
export interface UnsealFor {
  /** As its journal line has it. */
  readonly request: RequestReport;
  /** SHA-256 of the hello that was signed for it. */
  readonly hello: Uint8Array;
}

export interface UnsealingDeps extends UnsealDeps {
  readonly executor: Pick<Executor, "send" | "kill">;
  refuse(error: SallyportError): void;
  /** @throws limit.logins, or what the disk says */
  countLogin(login: string): void;
  /** A login that could not be counted, as an error of ours. */
  whyUncounted(error: unknown): SallyportError;
}

export interface Unsealing {
  /**
   * Answers what a session with a sealed credential asks beside all others: its key, then the count of its login, each once
   * and in this order. False for any other message, and where there is nothing sealed.
   * @param session undefined unless it was let through, with a place in its connection
   */
  takes(message: ToSupervisor, session: UnsealFor | undefined): boolean;
  /** Whether a key went out. */
  readonly hasOpened: boolean;
}

export function createUnsealing(deps: UnsealingDeps): Unsealing {
  const { executor, refuse } = deps;
  const left: ToSupervisor["say"][] = ["unseal", "login"];
  let hasOpened = false;
  const onUnseal = async (asked: UnsealReport, session: UnsealFor): Promise<void> => {
    const key = await unseal(asked, session, deps);
    hasOpened = true;
    executor.send({ say: "unsealed", key: toBase64url(key) });
    key.fill(0);
  };
  const onLogin = (login: string): void => {
    try {
      deps.countLogin(login);
      const stopped = deps.whyStopped();
      if (stopped === undefined) executor.send({ say: "counted" });
      else refuse(stopped);
    } catch (error) {
      refuse(deps.whyUncounted(error));
    }
  };
  return {
    takes(message, session) {
      if (session?.request.sealed !== true || message.say !== left[0]) return false;
      left.shift();
      if (message.say === "login") onLogin(message.login);
      else if (message.say === "unseal") {
        onUnseal(message, session).catch((error) =>
          error instanceof SallyportError ? refuse(error) : executor.kill("protocol"),
        );
      }
      return true;
    },
    get hasOpened() {
      return hasOpened;
    },
  };
}

/**
 * The key for what was asked, after its line is in the journal. The caller asks once a session.
 * @throws credential.not_sealed, credential.refused, agent.journal_unwritable, or why the session was stopped
 */
export async function unseal(asked: UnsealReport, { request, hello }: UnsealFor, deps: UnsealDeps): Promise<Buffer> {
  const key = ownKey(deps);
  const kid = unsealKid(toBase64url(key.publicKey));
  const fault = await refusalOf(asked, request, { hello, kid, keys: await keysByKid(deps.pinned.keys) });
  const refusal = fault ?? deps.whyStopped();
  note(deps, request, kid, refusal);
  if (refusal !== undefined) throw refusal;
  // Loaded here: a supervisor that never unseals does without the library.
  const [{ receiveExport }, { infoOf }] = await Promise.all([
    import("@sallyport/shared/crypto/envelope.ts"),
    import("@sallyport/shared/crypto/sealed-credential.ts"),
  ]);
  const { tenant, site } = deps.pinned;
  const info = infoOf({ tenant, site, connection: asked.connection });
  try {
    return Buffer.from(await receiveExport(key, fromBase64url(asked.enc) ?? Buffer.alloc(0), info));
  } catch {
    throw refused("The sealed credential's encapsulated secret is not one.");
  }
}

function ownKey({ unsealKey }: UnsealDeps): UnsealKey {
  try {
    return unsealKey();
  } catch (thrown) {
    throw new SallyportError("credential.refused", "The agent cannot read its own unseal key.", {}, thrown);
  }
}

async function refusalOf(
  asked: UnsealReport,
  request: RequestReport,
  own: { readonly hello: Uint8Array; readonly kid: string; readonly keys: ReadonlyMap<string, KeyObject> },
): Promise<SallyportError | undefined> {
  if (asked.connection !== request.connection) return refused("The session's request is for another connection.");
  if (asked.kid !== own.kid) {
    return new SallyportError("credential.not_sealed", "The credential is not sealed to this agent's key.");
  }
  const { connection, kid, enc } = asked;
  const fault = await grantFault(asked.grant, { hello: own.hello, connection, kid, enc }, (by) => own.keys.get(by));
  return fault === undefined ? undefined : refused(`The orchestrator's grant is not for this (${fault}).`);
}

function note(deps: UnsealDeps, { request, connection }: RequestReport, kid: string, refusal?: SallyportError): void {
  try {
    deps.journal.append({
      event: "unseal",
      policy: deps.policy,
      key: "unseal",
      kid,
      request,
      ...(connection === undefined ? {} : { connection }),
      decision: refusal === undefined ? "allow" : "deny",
      ...(refusal === undefined ? {} : { code: refusal.code }),
    });
  } catch {
    throw new SallyportError("agent.journal_unwritable", "The agent cannot write its journal.");
  }
}

const refused = (message: string): SallyportError => new SallyportError("credential.refused", message);
