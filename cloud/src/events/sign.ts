/**
 * Signatures of webhooks, as https://www.standardwebhooks.com describes them, so that receivers find libraries:
 * HMAC-SHA256 over `{id}.{seconds}.{body}`. docs/events.md says it for those who write their own.
 */
import { createHmac } from "node:crypto";
import { z } from "zod";

const SECRET_BYTES = 32;

/** `whsec_` and 32 bytes in base64. */
export const drawSecret = (random: (bytes: number) => Buffer): string =>
  `whsec_${random(SECRET_BYTES).toString("base64")}`;

/** What the secret store holds of a webhook: the current secret first, then the one before while it still signs. */
export const webhookSecrets = z.array(
  z.strictObject({ secret: z.string().regex(/^whsec_[A-Za-z0-9+/]{43}=$/), until: z.iso.datetime().nullable() }),
);
export type WebhookSecrets = z.infer<typeof webhookSecrets>;
/** Throws `secrets.unavailable`. */
export type SecretsOf = (tenant: string, webhook: string) => Promise<WebhookSecrets>;

/** Those that sign now. */
export const signingSecrets = (secrets: WebhookSecrets, now: Date): string[] =>
  secrets.filter(({ until }) => until === null || Date.parse(until) > now.getTime()).map(({ secret }) => secret);

/** The three headers of one attempt: one signature for each secret, so that a receiver may know either. */
export function signatureHeaders(
  id: string,
  body: string,
  secrets: readonly string[],
  now: Date,
): Readonly<Record<string, string>> {
  const timestamp = Math.floor(now.getTime() / 1000);
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatures.join(" "),
  };
}
