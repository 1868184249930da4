/** What a directory says of itself to anybody: its names, its clock, what it can do [RFC 4512 5.1; MS-ADTS 3.1.1.3.2]. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { PresenceFilter, SearchRequest } from "ldapts";
import type { Connection } from "./connection.ts";
import { answerError } from "./errors.ts";
import { ANSWER, type Entry, readEntry, readResult } from "./message.ts";
import { generalizedMs } from "./time.ts";

export interface RootDse {
  /** The domain's naming context. */
  readonly domain: string;
  readonly schema: string;
  readonly configuration: string;
  readonly namingContexts: readonly string[];
  /** The controller's own name, `dc1.corp.example`. */
  readonly host: string;
  readonly controls: readonly string[];
  readonly signInMechanisms: readonly string[];
  /** The controller's own greatest update sequence number, decimal digits. */
  readonly highestUsn: string | undefined;
  /** Its time, and this machine's when the answer came. */
  readonly clock: { readonly theirMs: number; readonly ourMs: number } | undefined;
}

/** What operations work with: open, signed in to, for one session. */
export interface Directory {
  readonly connection: Connection;
  readonly root: RootDse;
}

const ATTRIBUTES = [
  ...["defaultNamingContext", "schemaNamingContext", "configurationNamingContext", "namingContexts", "dnsHostName"],
  ...["supportedControl", "supportedSASLMechanisms", "highestCommittedUSN", "currentTime"],
];

/** Needs no sign-in. @throws SallyportError */
export async function readRootDse(connection: Connection): Promise<RootDse> {
  const filter = new PresenceFilter({ attribute: "objectClass" });
  const request = new SearchRequest({ messageId: 0, baseDN: "", scope: "base", filter, attributes: ATTRIBUTES });
  let root: Entry | undefined;
  for await (const message of connection.answers(request, ({ tag }) => tag !== ANSWER.entry)) {
    if (message.tag === ANSWER.entry) root ??= readEntry(message);
    else {
      const result = readResult(message);
      if (result.code !== 0) throw answerError(result);
    }
  }
  const ourMs = Date.now();
  const all = (name: string): string[] => {
    const found = root?.attributes.find((one) => one.name.toLowerCase() === name.toLowerCase());
    return (found?.values ?? []).map((value) => value.toString("utf8"));
  };
  const one = (name: string): string => all(name)[0] ?? "";
  const domain = one("defaultNamingContext");
  if (domain === "") throw new SallyportError("directory.protocol", "What answers there is no domain controller.");
  const theirMs = generalizedMs(one("currentTime"));
  return {
    domain,
    schema: one("schemaNamingContext"),
    configuration: one("configurationNamingContext"),
    namingContexts: all("namingContexts"),
    host: one("dnsHostName"),
    controls: all("supportedControl"),
    signInMechanisms: all("supportedSASLMechanisms"),
    highestUsn: all("highestCommittedUSN")[0],
    clock: theirMs === undefined ? undefined : { theirMs, ourMs },
  };
}

/** What Kerberos bears [RFC 4120 1.6; MS-KILE 3.1.5], and more than a machine's clock should be wrong. */
const MAX_SKEW_MS: number = 5 * 60_000;

/** @throws SallyportError `directory.clock_skew`, with both times */
export function checkClock({ clock }: RootDse): void {
  if (clock === undefined || Math.abs(clock.theirMs - clock.ourMs) <= MAX_SKEW_MS) return;
  const [theirs, ours] = [clock.theirMs, clock.ourMs].map((ms) => new Date(ms).toISOString());
  throw new SallyportError(
    "directory.clock_skew",
    `The domain controller's clock says ${theirs}, this machine's ${ours}.`,
    { theirs: theirs!, ours: ours! },
  );
}
