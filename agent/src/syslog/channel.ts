/** An open way to a syslog server, whatever carries it. */
export interface Channel {
  /** Settles when the system has the bytes; what it does with them nobody tells (RFC 5424 has no answer). */
  send(bytes: Buffer): Promise<void>;
  /** Settles when it can carry nothing any more. */
  readonly closed: Promise<void>;
  /** Ends it once everything sent has left. */
  close(): void;
}
