/** A line of the journal as a syslog message (RFC 5424), and how messages stand in a stream. Pure. */
import { utf8 } from "@sallyport/shared/crypto/bytes.ts";
import type { JournalLine } from "../journal/line.ts";
import type { SyslogTarget } from "./target.ts";

/** "log audit", RFC 5424 table 1. */
const FACILITY = 13;
const SEVERITY = { warning: 4, notice: 5, info: 6 } as const;

/** What somebody should see among thousands of pulls. */
function severityOf({ event, decision, code }: JournalLine): number {
  if (decision === "deny" || code !== undefined) return SEVERITY.warning;
  return event === "request" || event === "end" || event === "token" ? SEVERITY.info : SEVERITY.notice;
}

/**
 * The line's own bytes without its LF stand as the message, so that whoever collects them can check the chain. There is no
 * BOM before them (RFC 5424 section 6.4, MSG-ANY), which readers of JSON would stumble over.
 * @param machine who sends it: the host's name, and the process
 */
export function syslogMessage(line: JournalLine, bytes: Buffer, machine: Machine): Buffer {
  const priority = FACILITY * 8 + severityOf(line);
  const head = `<${priority}>1 ${line.at} ${printable(machine.host)} sallyport ${machine.pid} ${line.event} - `;
  return Buffer.concat([utf8(head), bytes.subarray(0, -1)]);
}

export interface Machine {
  readonly host: string;
  readonly pid: number;
}

/** PRINTUSASCII, 255 at most; the NILVALUE where nothing is left. */
const printable = (host: string): string => host.replace(/[^\x21-\x7e]/g, "").slice(0, 255) || "-";

/**
 * UDP carries one message a datagram (RFC 5426); TCP and TLS count octets (RFC 6587 section 3.4.1, RFC 5425 section 4.3);
 * a local daemon reads lines (RFC 6587 section 3.4.2).
 */
export function framed(message: Buffer, transport: SyslogTarget["transport"]): Buffer {
  switch (transport) {
    case "udp":
      return message;
    case "tcp":
    case "tls":
      return Buffer.concat([utf8(`${message.byteLength} `), message]);
    case "unix":
      return Buffer.concat([message, utf8("\n")]);
    default:
      return transport satisfies never;
  }
}
