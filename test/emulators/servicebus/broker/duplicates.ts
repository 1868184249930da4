/** The message ids of the last window. */
export type Duplicates = {
  /** True when the id was seen inside the window; otherwise it is remembered from now on. */
  repeated(messageId: string, nowMs: number): boolean;
  restore(messageId: string, untilMs: number): void;
};

/**
 * Duplicate detection by message id. A repeated id does not prolong the window of the first.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/duplicate-detection
 *
 * @param remembered is told each new id and when it may be forgotten
 */
export function createDuplicates(
  windowMs: number,
  remembered: (messageId: string, untilMs: number) => void,
): Duplicates {
  // The window is the same for all, so insertion order is expiry order.
  const until = new Map<string, number>();

  const forgetExpired = (nowMs: number) => {
    for (const [messageId, untilMs] of until) {
      if (untilMs > nowMs) return;
      until.delete(messageId);
    }
  };

  return {
    repeated(messageId, nowMs) {
      forgetExpired(nowMs);
      if (until.has(messageId)) return true;
      until.set(messageId, nowMs + windowMs);
      remembered(messageId, nowMs + windowMs);
      return false;
    },
    restore(messageId, untilMs) {
      until.set(messageId, untilMs);
    },
  };
}
