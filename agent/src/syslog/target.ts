/** Where the journal is copied to, as agent.yaml says it: `tls://siem.corp.example:6514`. */
import { z } from "zod";

export type SyslogTarget =
  | { readonly transport: "udp" | "tcp" | "tls"; readonly host: string; readonly port: number }
  /** A stream socket of this machine; on Windows `\\.\pipe\…`. */
  | { readonly transport: "unix"; readonly path: string };

/** RFC 5426 section 3.3 and RFC 5425 section 4.1; for plain TCP what is usual (RFC 6587 has none of its own). */
const PORTS = { udp: 514, tcp: 514, tls: 6514 } as const;
const NETWORK = /^(udp|tcp|tls):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?$/;
const LOCAL = /^unix:((?:\/|\\\\[.?]\\pipe\\)[^\p{Cc}]{1,100})$/u;

/** Undefined for what is none. */
export function parseTarget(text: string): SyslogTarget | undefined {
  const path = LOCAL.exec(text)?.[1];
  if (path !== undefined) return { transport: "unix", path };
  const [, scheme, address, name, digits] = NETWORK.exec(text) ?? [];
  const host = address ?? name;
  if (scheme === undefined || host === undefined) return undefined;
  const transport = scheme as keyof typeof PORTS;
  const port = digits === undefined ? PORTS[transport] : Number(digits);
  return port >= 1 && port <= 65_535 ? { transport, host, port } : undefined;
}

/** `journal.syslog` of agent.yaml. `ca`: the only authorities that are believed for `tls://`. */
export const syslogConfig = z
  .strictObject({
    to: z.string().transform((text, context) => {
      const target = parseTarget(text);
      if (target !== undefined) return target;
      context.addIssue({
        code: "custom",
        message: "write it as tls://host:6514, tcp://host:514, udp://host:514 or unix:/path",
      });
      return z.NEVER;
    }),
    ca: z.string().min(1).optional(),
  })
  .refine(({ to, ca }) => ca === undefined || to.transport === "tls", "ca is for tls:// only");

/** As people read it. */
export const targetText = (target: SyslogTarget): string =>
  target.transport === "unix"
    ? `unix:${target.path}`
    : `${target.transport}://${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`;
