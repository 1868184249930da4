/** The running agent's journal: its lines, what the orchestrator knows of it, and its copy at a syslog server. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Logger } from "pino";
import { type Clock, within } from "../clock.ts";
import type { AgentConfig } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { createAskedBound } from "../journal/asked.ts";
import { type Journal, openJournal } from "../journal/journal.ts";
import { createKnownHead, type KnownHead } from "../journal/known.ts";
import type { JournalFacts } from "../journal/line.ts";
import { type Network, secureContextOf } from "../origin.ts";
import { createSyslogCopy, type SyslogCopy } from "../syslog/copy.ts";
import { framed, syslogMessage } from "../syslog/message.ts";
import { openChannel } from "../syslog/open-channel.ts";
import { targetText } from "../syslog/target.ts";
import type { TokenResult } from "./tokens.ts";

/** For the last lines of an agent that stops. */
const DRAIN_WITHIN_MS = 2_000;

export interface Journaling {
  readonly journal: Journal;
  readonly known: Pick<KnownHead, "shown" | "last">;
  /** For lines that nothing waits for: sessions are refused by themselves when the journal cannot be written. */
  note(facts: JournalFacts): void;
  /** How far its copy is; null where no syslog server is named. */
  copied(): SyslogCopy["state"] | null;
  /** Holds what a token's answer says of the journal against its files; passes the answer on. */
  answered(result: TokenResult): TokenResult;
  /** After the last line: lets its copy leave, and closes the file. */
  close(): Promise<void>;
}

/** @throws agent.journal_unwritable; ConfigError when the syslog server's authorities cannot be read. */
export function openJournaling(
  folder: string,
  config: AgentConfig["journal"],
  network: Network,
  clock: Clock,
  log: Logger,
): Journaling {
  const copy = config.syslog && syslogCopy(config.syslog, network, clock, log);
  const machine = { host: machineName() ?? "", pid: process.pid };
  const opened = openJournal(folder, {
    maxBytes: config.maxBytes,
    maxDays: config.maxDays,
    nowMs: clock.wallMs,
    written(line, bytes) {
      if (config.syslog === undefined) return;
      copy?.take(line.seq, framed(syslogMessage(line, bytes, machine), config.syslog.to.transport));
    },
  });
  const bounded = createAskedBound(clock.wallMs);
  const journal: Journal = { ...opened, append: (facts) => opened.append(bounded(facts)) };
  const known = createKnownHead(folder, clock.wallMs);
  const stop = new AbortController();
  const copying = copy?.run(stop.signal);
  return {
    journal,
    known,
    note(facts) {
      try {
        journal.append(facts);
      } catch (error) {
        log.error({ event: facts.event, why: (error as Error).message }, "a journal line could not be written");
      }
    },
    copied: () => copy?.state ?? null,
    answered(result) {
      if (result.ok && !known.answered(result.answer.journal)) {
        log.error(
          { seq: result.answer.journal?.seq },
          "the journal has not the line that the orchestrator knows: somebody cut it or wrote it anew; see `sallyport journal verify`",
        );
      }
      return result;
    },
    async close() {
      journal.close();
      if (copy !== undefined) await within(copy.drained(), DRAIN_WITHIN_MS, clock);
      stop.abort();
      await copying;
    },
  };
}

function syslogCopy(
  syslog: NonNullable<AgentConfig["journal"]["syslog"]>,
  network: Network,
  clock: Clock,
  log: Logger,
): SyslogCopy {
  const trust = syslog.ca === undefined ? secureContextOf(network.caPem) : trustOnly(syslog.ca);
  return createSyslogCopy({
    open: (signal) => openChannel(syslog.to, trust, signal),
    to: targetText(syslog.to),
    clock,
    random: Math.random,
    log,
  });
}

function trustOnly(file: string): SecureContext {
  try {
    return createSecureContext({ ca: readFileSync(file, "utf8"), minVersion: "TLSv1.2" });
  } catch {
    throw new ConfigError(`${file} (journal.syslog.ca) cannot be read as certificates in PEM`);
  }
}

/** For the `start` line; undefined where the name is none that may stand there. */
export function machineName(): string | undefined {
  const name = hostname().slice(0, 255);
  return /^[A-Za-z0-9._-]+$/.test(name) ? name : undefined;
}
