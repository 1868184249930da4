/**
 * Whose keys a credential is sealed to. A key comes through the party that it is to be kept from, so it counts only by the
 * fingerprint that somebody read on the agent itself, or as a file that was copied from there.
 */
import { readFileSync } from "node:fs";
import { type AgentKey, agentKey, readAgentKey, signUnsealKey } from "@sallyport/shared/crypto/agent-key.ts";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { ed25519Jwk } from "@sallyport/shared/crypto/identity.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { z } from "zod";
import { loadIdentity, loadUnsealPublicKey } from "../keys.ts";
import { readPinned, type StatePaths } from "../state.ts";

const FINGERPRINT = /^SHA256:[A-Za-z0-9_-]{43}$/;

/** A key that somebody vouched for. */
export interface TrustedKey {
  readonly fingerprint: string;
  readonly agent: string;
  readonly tenant: string;
  readonly site: string;
  /** The unseal key, base64url. */
  readonly key: string;
}

/** This machine's own, signed now; undefined where it was never enrolled. @throws ConfigError */
export async function ownKey(paths: StatePaths, nowMs: number): Promise<AgentKey | undefined> {
  const pinned = readPinned(paths);
  if (pinned === undefined) return undefined;
  const identity = await loadIdentity(paths);
  const { agent, tenant, site } = pinned;
  const said = { agent, tenant, site, key: toBase64url(loadUnsealPublicKey(paths)), iat: Math.floor(nowMs / 1000) };
  return {
    v: 1,
    identity: ed25519Jwk.parse(identity.publicJwk),
    unseal: await signUnsealKey(said, identity.signer),
  };
}

/** One key, or a list of them as `sallyportctl agents keys` writes it. @throws credential.key_unknown */
export function readKeyFile(file: string): readonly AgentKey[] {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw unknown(`${file} cannot be read, or is no JSON.`);
  }
  const parsed = z.union([agentKey.transform((key) => [key]), z.array(agentKey).max(1000)]).safeParse(json);
  if (!parsed.success) throw unknown(`${file} holds no agent's keys.`);
  return parsed.data;
}

/**
 * The keys that were named: by fingerprint, out of those that are `offered`; or by a file from the agent itself.
 * @throws credential.key_unknown for whatever nobody vouched for
 */
export async function trustedKeys(named: readonly string[], offered: readonly AgentKey[]): Promise<TrustedKey[]> {
  const known = await Promise.all(offered.map(trusted));
  const chosen: TrustedKey[] = [];
  for (const name of named) chosen.push(FINGERPRINT.test(name) ? byFingerprint(name, known) : await byFile(name));
  const sites = new Set(chosen.map(({ tenant, site }) => `${site} of ${tenant}`));
  if (sites.size > 1) throw unknown(`These agents are of different sites: ${[...sites].join(", ")}.`);
  return chosen;
}

function byFingerprint(name: string, known: readonly (TrustedKey | undefined)[]): TrustedKey {
  const found = known.find((each) => each?.fingerprint === name);
  if (found === undefined) throw unknown(`No key with the fingerprint ${name} was offered.`);
  return found;
}

async function byFile(file: string): Promise<TrustedKey> {
  const keys = readKeyFile(file);
  // A list comes from somebody else: its entries count by their fingerprints only.
  if (keys.length !== 1)
    throw unknown(`${file} holds ${keys.length} keys: name each by its fingerprint, and the file with --keys.`);
  const key = await trusted(keys[0]!);
  if (key === undefined) throw unknown(`${file}: its unseal key is not signed by its identity.`);
  return key;
}

/** Undefined where the identity did not sign for the unseal key: then it may be anybody's. */
async function trusted(key: AgentKey): Promise<TrustedKey | undefined> {
  const read = await readAgentKey(key);
  if (read === undefined) return undefined;
  const { agent, tenant, site, key: unseal } = read.said;
  return { fingerprint: read.fingerprint, agent, tenant, site, key: unseal };
}

const unknown = (message: string): SallyportError => new SallyportError("credential.key_unknown", message);
