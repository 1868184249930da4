/** The first failure of a request to the server is kept, and the request cancelled for it. */
import type { Session } from "./session.ts";

/** What the columns of one statement share. After the first failure everything that still arrives is thrown away. */
export interface Guard {
  readonly failed: boolean;
  fail(error: unknown): void;
}

/**
 * Failures are kept and not thrown where they come up: a handler of the driver's that throws would be taken for a socket
 * error.
 * @param cancel ends the request, where it has not ended; called once at most
 */
export function createGuard(cancel: () => void): Guard & { readonly failure: unknown } {
  const guard = {
    failed: false,
    failure: undefined as unknown,
    fail(error: unknown): void {
      if (guard.failed) return;
      guard.failed = true;
      guard.failure = error;
      cancel();
    },
  };
  return guard;
}

/**
 * When the rest of a cancelled result cannot be parsed, the driver drops the request, and then fails on it being gone
 * as the confirmation of the cancel arrives: in a tick of its own, so that nobody can catch it. This stands in.
 */
export function containLateAnswer({ connection }: Session): void {
  const driver = connection as unknown as { request: unknown };
  driver.request ??= { error: undefined, callback() {} };
}
