/** Every connection that an agent makes, as a firewall has to let it pass (docs/network.md). Pure. */
import { splitAddress } from "@sallyport/shared/schema/policy.ts";
import { splitInstance } from "../connectors/mssql/instance.ts";
import { parentDomain } from "../supervisor/rendezvous.ts";
import type { SyslogTarget } from "../syslog/target.ts";

export interface Opening {
  /** A host name, or `*.domain`. */
  readonly to: string;
  /** `dynamic`: that of a named instance, unless its administrator gave it a fixed one. */
  readonly port: number | "dynamic";
  readonly protocol: string;
  /** Datagrams; everything else is TCP. */
  readonly udp?: true;
  /** Which of the agent's processes; with a proxy, through which. */
  readonly by: string;
  readonly why: string;
}

export interface Ways {
  readonly origin: string;
  /** Host, with its port where that is not 443; undefined before enrolment. */
  readonly relayHost: string | undefined;
  /** `host[:port]` of agent.yaml's `rendezvousHosts`. */
  readonly gateways: readonly string[];
  /** `host:port` */
  readonly proxy?: string;
  /** `host:port` by the connection's name. */
  readonly connections: Readonly<Record<string, string>>;
  /** Where the journal is copied to. */
  readonly syslog?: SyslogTarget;
}

/** In whose domain Azure's relays lie, where another one is not known yet. */
const AZURE_RELAYS = "servicebus.windows.net";

export function openingsOf({ origin, relayHost, gateways, proxy, connections, syslog }: Ways): readonly Opening[] {
  const out = outwards(origin, relayHost, gateways);
  const systems = Object.entries(connections).flatMap(([name, address]): Opening[] => {
    const { host, port } = splitAddress(address);
    const { server, instance } = splitInstance(host);
    const system = {
      to: server,
      protocol: "the system's own",
      by: "executor",
      why: `connection ${name} of the policy`,
    };
    if (instance === undefined) return [{ ...system, port }];
    const browser = { to: server, port, protocol: "SQL Server Browser", udp: true, by: "executor" } as const;
    return [
      { ...browser, why: `connection ${name}: where the instance ${instance} listens` },
      { ...system, port: "dynamic" },
    ];
  });
  systems.push(...copies(syslog));
  if (proxy === undefined) return [...out, ...systems];
  const { host, port } = splitAddress(proxy);
  const through = { to: host, port, protocol: "HTTP CONNECT", by: "both", why: "the proxy, for all that is marked so" };
  return [through, ...out.map((each) => ({ ...each, by: "the proxy" })), ...systems];
}

/** Goes past a proxy, as systems do: the server stands in the owner's own network. */
function copies(target: SyslogTarget | undefined): Opening[] {
  if (target === undefined || target.transport === "unix") return [];
  const { transport, host, port } = target;
  const protocol = `syslog, ${transport.toUpperCase()}`;
  const opening = {
    to: host,
    port,
    protocol,
    by: "supervisor",
    why: "the journal's copy (journal.syslog in agent.yaml)",
  };
  return [transport === "udp" ? { ...opening, udp: true } : opening];
}

function outwards(origin: string, relayHost: string | undefined, gateways: readonly string[]): Opening[] {
  const websocket = "HTTPS, WebSocket";
  const session = { protocol: websocket, by: "executor", why: "the relay's gateways: one WebSocket for each session" };
  const relay = relayHost === undefined ? undefined : new URL(`https://${relayHost}`);
  const beside = relay === undefined ? AZURE_RELAYS : parentDomain(relay.hostname);
  return [
    {
      ...target(new URL(origin)),
      protocol: "HTTPS",
      by: "supervisor",
      why: "the orchestrator: enrolment, a token every quarter of an hour",
    },
    {
      ...(relay === undefined ? { to: `*.${AZURE_RELAYS}`, port: 443 } : target(relay)),
      protocol: websocket,
      by: "supervisor",
      why: "the relay: the control channel, one WebSocket that stays",
    },
    ...(beside === undefined ? [] : [{ to: `*.${beside}`, port: 443, ...session }]),
    ...gateways.map((gateway) => ({ ...target(new URL(`https://${gateway}`)), ...session })),
  ];
}

const target = ({ hostname, port }: URL): { to: string; port: number } => ({ to: hostname, port: Number(port || 443) });
