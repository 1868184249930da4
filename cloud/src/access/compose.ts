/** What the guard of the HTTP functions is made of. */
import type { SecretStore } from "../secrets/secrets.ts";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/open.ts";
import { entra } from "./entra.ts";
import type { GuardDeps } from "./guard.ts";
import { noteUsed } from "./keys.ts";
import { createRates } from "./rates.ts";
import { repeatKey } from "./repeat-key.ts";
import { places } from "./resources.ts";

export interface GuardParts {
  readonly settings: Settings;
  readonly store: Store;
  readonly secrets: SecretStore;
  now(): Date;
  random(bytes: number): Buffer;
}

export function openGuard({ settings, store, secrets, now, random }: GuardParts): GuardDeps {
  const { SALLYPORT_ENTRA_ISSUER: issuer, SALLYPORT_ENTRA_AUDIENCE: audience } = settings;
  const { SALLYPORT_RATE: perSecond, SALLYPORT_BURST: burst } = settings;
  return {
    ...{ store, now, random },
    repeatKey: repeatKey({ store, secrets, random }),
    authentication: {
      keys: {
        adminKeySha256: settings.SALLYPORT_ADMIN_KEY_SHA256,
        findKey: async (id) => {
          const stored = await store.apiKeys.get(id);
          return stored && { id, ...stored.value, used: () => noteUsed({ store, now }, stored) };
        },
        now,
      },
      entra: issuer === undefined || audience === undefined ? undefined : entra({ issuer, audience }),
    },
    rates: createRates({ perSecond, burst }, () => performance.now()),
    places: places(store),
  };
}
