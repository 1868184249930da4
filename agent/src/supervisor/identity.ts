/**
 * Keeps the agent's identity young: at two thirds of its life, or when the owner asks for it, a new key is made and goes
 * with the next token request, signed by both. The old one is dropped when the orchestrator has confirmed, in a signature of
 * its own. Each step is on the disk before the next, so a crash or a lost answer repeats one (docs/protocol.md, "Keys").
 */
import { signUnsealKey } from "@sallyport/shared/crypto/agent-key.ts";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { ed25519Jwk, generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import type { JWK, Signer } from "@sallyport/shared/crypto/jws.ts";
import { isConfirmed, signRotation } from "@sallyport/shared/crypto/rotation.ts";
import type { Logger } from "pino";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import {
  adoptNextIdentity,
  type Identity,
  loadIdentity,
  loadNextIdentity,
  loadUnsealPublicKey,
  rotatesAtMs,
  storeNextIdentity,
} from "../keys.ts";
import { acceptAnswer, keysByKid } from "../pinning.ts";
import { type Pinned, readTextIfAny, type StatePaths } from "../state.ts";
import type { TokenReport, TokenResult } from "./tokens.ts";

const DAY_MS = 86_400_000;

export interface IdentityDeps {
  readonly paths: StatePaths;
  readonly pinned: () => Pinned;
  /** Of a whole life; the key rotates at two thirds of it. */
  readonly lifeDays: number;
  readonly request: (signer: Signer, report: TokenReport, signal: AbortSignal) => Promise<TokenResult>;
  /** Told of the thumbprint of the identity that is in use from now on. */
  readonly rotated: (kid: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface IdentityKeeper {
  /** Signs as this agent, by the key in use at that moment. */
  readonly signer: Signer;
  readonly publicJwk: JWK;
  /** Whether a new key is due, or under way. */
  isDue(): boolean;
  /** Asks for a listen token, and rotates on the way where that is due. */
  ask(report: TokenReport, signal: AbortSignal): Promise<TokenResult>;
}

/** @throws ConfigError when there is no identity */
export async function createIdentityKeeper(deps: IdentityDeps): Promise<IdentityKeeper> {
  const { paths, clock, log } = deps;
  let current = await loadIdentity(paths);
  let next = await loadNextIdentity(paths);
  let isPublished = false;

  const isOld = (): boolean => {
    const ageMs = clock.wallMs() - current.createdMs;
    // One from the future is of a clock that was wrong: it would never come to its age.
    return ageMs >= rotatesAtMs(deps.lifeDays) || ageMs < -DAY_MS;
  };
  const isWished = (): boolean => {
    const atMs = wishedMs(paths) ?? 0;
    // One of the future would be newer than each key that it brings about.
    return atMs > current.createdMs && atMs <= clock.wallMs();
  };

  const statement = async (by: Signer): Promise<string> => {
    const { agent, tenant, site } = deps.pinned();
    const key = toBase64url(loadUnsealPublicKey(paths));
    return await signUnsealKey({ agent, tenant, site, key, iat: Math.floor(clock.wallMs() / 1000) }, by);
  };

  const askPlainly = async (report: TokenReport, signal: AbortSignal): Promise<TokenResult> => {
    const published = isPublished ? {} : { unseal: await statement(current.signer) };
    const result = await deps.request(current.signer, { ...report, ...published }, signal);
    if (result.ok) isPublished = true;
    return result;
  };

  const adopt = (to: Identity): void => {
    adoptNextIdentity(paths);
    [current, next, isPublished] = [to, undefined, true];
    log.info({ kid: to.kid }, "the agent's identity has rotated");
    deps.rotated(to.kid);
  };

  const askRotating = async (to: Identity, report: TokenReport, signal: AbortSignal): Promise<TokenResult> => {
    const { agent, origin: aud } = deps.pinned();
    const iat = Math.floor(clock.wallMs() / 1000);
    const said = { agent, aud, to: ed25519Jwk.parse(to.publicJwk), iat };
    const rotate = await signRotation(said, current.signer, to.signer);
    const rotating = { ...report, rotate, unseal: await statement(to.signer) };
    let result = await deps.request(current.signer, rotating, signal);
    // The answer was lost, and the agent away until the old key was worth nothing: then the new one is known.
    if (!result.ok && (result.code === "agent.unknown" || result.code === "token.invalid")) {
      const byNew = await deps.request(to.signer, rotating, signal);
      if (byNew.ok) result = byNew;
      else if (result.code === "token.invalid") {
        // A rotation that is refused must not cost the token of a key that is still good.
        log.warn({ kid: to.kid }, "the orchestrator refuses the rotation of the agent's identity: the old key stays");
        return await askPlainly(report, signal);
      }
    }
    if (!result.ok || result.answer.rotated === undefined) return result;
    // By the keys that this very answer brings: after months away they may all be others.
    const accepted = await acceptAnswer(deps.pinned(), result.answer);
    const pinned = await keysByKid(accepted.ok ? accepted.pinned.keys : deps.pinned().keys);
    const isTaken = await isConfirmed(result.answer.rotated, { agent, aud, identity: to.kid }, (kid) =>
      pinned.get(kid),
    );
    if (isTaken) adopt(to);
    else log.warn({ kid: to.kid }, "the confirmation of a rotation is not signed by a pinned key: the old key stays");
    return result;
  };

  return {
    signer: {
      alg: "EdDSA",
      get kid() {
        return current.kid;
      },
      sign: (input) => current.signer.sign(input),
    },
    get publicJwk() {
      return current.publicJwk;
    },
    isDue: () => next !== undefined || isOld() || isWished(),
    async ask(report, signal) {
      if (next === undefined && (isOld() || isWished())) {
        next = await storeNextIdentity(paths, await generateKeyPair("EdDSA"), clock.wallMs());
      }
      return next === undefined ? await askPlainly(report, signal) : await askRotating(next, report, signal);
    },
  };
}

/** When the owner last asked for a rotation (`control/rotate`); undefined where they never did, or where it cannot be read. */
function wishedMs(paths: StatePaths): number | undefined {
  try {
    const parsed = z.iso.datetime().safeParse(readTextIfAny(paths.rotate)?.trim());
    return parsed.success ? Date.parse(parsed.data) : undefined;
  } catch {
    return undefined;
  }
}
