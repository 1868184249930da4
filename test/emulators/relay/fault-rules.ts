import { isBelow, pathSegments } from "./paths.ts";

/** Standing faults: rules the relay asks at each handshake, accept, message and link. What happens at once is in faults.ts. */

export type HandshakeKind = "listen" | "connect" | "rendezvous";
export type Direction = "toListener" | "toSender";

type Scope = {
  /** Only this entity and below; default all. */
  readonly path?: string | undefined;
  /** How often the rule applies before it goes away; default for ever. */
  readonly times?: number | undefined;
};

export type HandshakeFault = Scope & {
  /** Default all three. */
  readonly on?: HandshakeKind | undefined;
  readonly do: "hangBefore101" | "hangAfter101" | "wrongAcceptHash" | "reset" | "status";
  /** With "status"; default 503. */
  readonly status?: number | undefined;
  readonly reason?: string | undefined;
};

export type AcceptFault = Scope & {
  readonly do: "withoutHeaders" | "withoutKey" | "duplicate" | "lose" | "forge";
  /** With "forge": the address sent instead of the rendezvous'. */
  readonly address?: string | undefined;
};

export type MessageFault = Scope & {
  readonly direction: Direction;
  /** Which message of a session, in its direction; the first is 1. */
  readonly nth: number;
  /** "alter" flips one bit in the middle; "reorder" sends it after the next one. */
  readonly do: "alter" | "drop" | "repeat" | "reorder";
};

export type LinkFault = Omit<Scope, "times"> & {
  /** Default both. */
  readonly direction?: Direction | undefined;
  readonly latencyMs?: number | undefined;
  /** How fast the relay reads and passes on; 0 stops reading altogether. */
  readonly bytesPerSecond?: number | undefined;
  /** Cuts each message into frames of at most so many bytes. */
  readonly fragmentBytes?: number | undefined;
  /** With fragments: a ping between every two of them. */
  readonly pings?: boolean | undefined;
};

export type RuleList<Rule extends Scope> = {
  /** Adds a rule; the function returned takes it away again. */
  add(rule: Rule): () => void;
  /** The first rule that applies to this path, counting its use. */
  take(segments: readonly string[], applies?: (rule: Rule) => boolean): Rule | undefined;
  /** All rules that apply to this path now, counting nothing. */
  standing(segments: readonly string[]): readonly Rule[];
  clear(): void;
};

export type FaultRules = {
  readonly handshakes: RuleList<HandshakeFault>;
  readonly accepts: RuleList<AcceptFault>;
  readonly messages: RuleList<MessageFault>;
  readonly links: RuleList<LinkFault>;
};

export function makeFaultRules(): FaultRules {
  return { handshakes: makeRuleList(), accepts: makeRuleList(), messages: makeRuleList(), links: makeRuleList() };
}

function makeRuleList<Rule extends Scope>(): RuleList<Rule> {
  type Entry = { rule: Rule; left: number; scope: readonly string[] };
  const entries = new Set<Entry>();
  return {
    add(rule) {
      const scope = pathSegments(rule.path ?? "");
      if (!scope) throw new RangeError(`not a path: ${rule.path}`);
      const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY, scope };
      entries.add(entry);
      return () => entries.delete(entry);
    },
    take(segments, applies = () => true) {
      for (const entry of entries) {
        if (!isBelow(segments, entry.scope) || !applies(entry.rule)) continue;
        entry.left -= 1;
        if (entry.left <= 0) entries.delete(entry);
        return entry.rule;
      }
      return undefined;
    },
    standing: (segments) => [...entries].filter(({ scope }) => isBelow(segments, scope)).map(({ rule }) => rule),
    clear: () => entries.clear(),
  };
}
