/** What an agent says of its own keys with a token request: the identity it goes over to, and the key that customers seal to. */
import { unsealKid, verifyUnsealKey } from "@sallyport/shared/crypto/agent-key.ts";
import { type JWK, publicKeyOf } from "@sallyport/shared/crypto/jws.ts";
import { type Confirmed, verifyRotation } from "@sallyport/shared/crypto/rotation.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { tokenBody } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import type { RegisteredAgent } from "./registered.ts";

export interface RotationDeps {
  readonly origin: string;
  /**
   * Makes `to` the agent's key, and keeps the one before for a day. False when the key is another agent's, or somebody
   * rotated meanwhile.
   */
  rotate(agent: RegisteredAgent, to: { readonly identity: JWK; readonly kid: string }): Promise<boolean>;
  /** Keeps the statement and its key, which sealed credentials are found by. */
  publishUnseal(agent: RegisteredAgent, key: string, statement: string): Promise<void>;
  /** Signs that a key is an agent's now. */
  confirm(of: Confirmed): Promise<string>;
}

type Said = Pick<z.infer<typeof tokenBody>, "rotate" | "unseal">;

/**
 * Answers the confirmation of a rotation, where there is one. A repeat is confirmed again, by whichever of the two keys it
 * comes: a lost answer costs nothing. Only the current key may begin one.
 * @throws token.invalid
 */
export async function takeKeys(
  deps: RotationDeps,
  agent: RegisteredAgent,
  { rotate, unseal }: Said,
): Promise<string | undefined> {
  const { kid, identity } = rotate === undefined ? agent : await takeRotation(deps, agent, rotate);
  // By the key before the current one it would be worth nothing tomorrow.
  if (unseal !== undefined && (rotate !== undefined || kid === agent.current)) {
    const statement = await verifyUnsealKey(unseal, identity);
    const fits = statement?.agent === agent.id && statement.tenant === agent.tenant && statement.site === agent.site;
    if (statement === undefined || !fits) throw invalid("unseal");
    const isKnown = unsealKid(statement.key) === agent.unseal.kid && identity === agent.identity && agent.unseal.signed;
    if (!isKnown) await deps.publishUnseal(agent, statement.key, unseal);
  }
  return rotate === undefined ? undefined : await deps.confirm({ agent: agent.id, aud: deps.origin, identity: kid });
}

async function takeRotation(
  deps: RotationDeps,
  agent: RegisteredAgent,
  rotate: NonNullable<Said["rotate"]>,
): Promise<{ kid: string; identity: JWK }> {
  // Sent by the new key: the old one may be forgotten by now, and nothing changes.
  const signed = await verifyRotation(rotate, { kid: agent.kid, key: publicKeyOf(agent.identity) });
  const next = signed ?? (await verifyRotation(rotate, undefined));
  const isOurs = next?.said.agent === agent.id && next.said.aud === deps.origin;
  if (next === undefined || !isOurs) throw invalid("rotate");
  const to = { kid: next.kid, identity: next.said.to };
  if (to.kid === agent.current) return to;
  if (signed === undefined || agent.kid !== agent.current || !(await deps.rotate(agent, to))) throw invalid("rotate");
  return to;
}

const invalid = (reason: string): SallyportError =>
  new SallyportError("token.invalid", "What the agent says of its keys does not fit.", { reason });
