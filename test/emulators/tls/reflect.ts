/**
 * The four functions of the reflect-metadata proposal that @peculiar/x509's container (tsyringe) calls while it loads.
 * The package refuses to load without them, and the usual polyfill brings far more than these few lines.
 * Source: https://rbuckton.github.io/reflect-metadata/ (OrdinaryGetMetadata and its neighbours).
 */

const metadataOf = new WeakMap<object, Map<unknown, unknown>>();

function getOwnMetadata(key: unknown, target: object): unknown {
  return metadataOf.get(target)?.get(key);
}

function getMetadata(key: unknown, target: object): unknown {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
    const own = metadataOf.get(at);
    if (own?.has(key)) return own.get(key);
  }
  return undefined;
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const own = metadataOf.get(target) ?? new Map<unknown, unknown>();
  metadataOf.set(target, own.set(key, value));
}

/** What compilers emit for a decorated class: `@Reflect.metadata("design:paramtypes", [...])`. */
function metadata(key: unknown, value: unknown) {
  return (target: object) => defineMetadata(key, value, target);
}

// Another library may have brought the full polyfill; it wins.
if (!("getMetadata" in Reflect)) {
  Object.assign(Reflect, { getOwnMetadata, getMetadata, defineMetadata, metadata });
}
