/** What a token's answer may change of what enrolment pinned: hardly anything, and only signed. Pure. */
import type { KeyObject } from "node:crypto";
import { p256Jwk, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { type JWK, publicKeyOf, verifyJws } from "@sallyport/shared/crypto/jws.ts";
import { parseJson } from "@sallyport/shared/json.ts";
import type { TokenAnswer } from "@sallyport/shared/schema/api.ts";
import { z } from "zod";
import type { Pinned } from "./state.ts";

const keysStatement = z.object({
  aud: z.url(),
  seq: z.int().min(0),
  iat: z.int(),
  keys: z.array(p256Jwk).min(1).max(8),
});

export type PinningResult =
  | {
      readonly ok: true;
      readonly pinned: Pinned;
      readonly changed: boolean;
      /** Thumbprints of the orchestrator's keys that were not pinned before. */
      readonly newKids: readonly string[];
    }
  | { readonly ok: false; readonly why: string };

/**
 * Accepts an answer's listen URL only at the relay and path pinned at enrolment, and its keys only as a statement signed by a pinned key, for this origin, not older than the last one.
 */
export async function acceptAnswer(pinned: Pinned, answer: TokenAnswer): Promise<PinningResult> {
  if (!isListenUrl(answer.listenUrl, pinned)) {
    return { ok: false, why: "the listen URL is not at the relay and path pinned at enrolment" };
  }
  let known: Known = pinned;
  // An agent that was away finds its way from one set to the next; a step that is not for it leads nowhere.
  for (const step of answer.keyChain ?? []) {
    const taken = await takeStatement(step, known);
    if (typeof taken !== "string") known = taken;
  }
  const taken = await takeStatement(answer.keys, known);
  if (typeof taken === "string") return { ok: false, why: taken };
  const next: Pinned = {
    ...pinned,
    listenUrl: pinned.listenUrl ?? answer.listenUrl,
    keysSeq: taken.keysSeq,
    keys: taken.keys,
    settings: answer.settings,
  };
  const before = await keysByKid(pinned.keys);
  const newKids = [...(await keysByKid(next.keys)).keys()].filter((kid) => !before.has(kid));
  return { ok: true, pinned: next, changed: JSON.stringify(next) !== JSON.stringify(pinned), newKids };
}

type Known = Pick<Pinned, "origin" | "keysSeq" | "keys">;

/** The complete set that a statement brings: what it does not list is dropped. Or why it is refused. */
async function takeStatement(compact: string, { origin, keysSeq, keys: pinned }: Known): Promise<Known | string> {
  const byKid = await keysByKid(pinned);
  const verified = await verifyJws(compact, { purpose: "keys", alg: "ES256" }, (kid) => byKid.get(kid));
  if (!verified.ok) return `the key statement is not signed by a pinned key (${verified.reason})`;
  const statement = keysStatement.safeParse(parseJson(verified.payload));
  if (!statement.success) return "the key statement does not fit its schema";
  const { aud, seq, keys } = statement.data;
  if (aud !== origin) return "the key statement is for another origin";
  if (seq < keysSeq) return "the key statement is older than the last one";
  // 0: nobody has said yet which number the keys of the enrolment have.
  const isSame = (await kidsOf(keys)) === (await kidsOf(pinned));
  if (seq === keysSeq && seq !== 0 && !isSame) return "the key statement has the last one's number and other keys";
  return { origin, keysSeq: seq, keys };
}

const kidsOf = async (keys: Known["keys"]): Promise<string> => [...(await keysByKid(keys)).keys()].sort().join();

/** Public keys by their thumbprint, as `verifyJws` asks for them. */
export async function keysByKid(keys: readonly Record<string, unknown>[]): Promise<ReadonlyMap<string, KeyObject>> {
  const entries = keys.map(async (key): Promise<[string, KeyObject]> => {
    const jwk: JWK = p256Jwk.parse(key);
    return [await thumbprint(jwk), publicKeyOf(jwk)];
  });
  return new Map(await Promise.all(entries));
}

/** Whether a listener's URL is at the pinned relay, its port included, on the path that only this agent has. */
export function isListenUrl(text: string, { relayHost, agent }: Pick<Pinned, "relayHost" | "agent">): boolean {
  const url = URL.parse(text);
  const relay = URL.parse(`wss://${relayHost}`);
  if (url === null || relay === null || url.protocol !== "wss:" || url.username !== "" || url.password !== "")
    return false;
  if (url.searchParams.get("sb-hc-action") !== "listen" || text.includes("#")) return false;
  return url.host === relay.host && url.pathname.toLowerCase() === `/$hc/a-${agent}`;
}
