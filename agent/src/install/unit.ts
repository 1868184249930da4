/**
 * The unit that runs the agent (systemd.service(5), systemd.exec(5)). `systemd-analyze security` calls it 1.3: what is left are
 * sockets, which the agent is there for, and writable code, which V8 compiles.
 */
import { FINAL, TRY_AGAIN } from "./endings.ts";
import { ACCOUNT, LAYOUT, type Layout } from "./layout.ts";

/** As systemd loads it for one service. */
export interface UnitOptions {
  readonly account?: string;
  readonly group?: string;
  /** File with the encrypted secret part of the unseal key, and the credential's name. */
  readonly credential?: { readonly name: string; readonly file: string } | undefined;
  readonly layout?: Layout;
}

/** The text of `sallyport.service`; it holds no secret. */
export function unitText({
  account = ACCOUNT,
  group = account,
  credential,
  layout = LAYOUT,
}: UnitOptions = {}): string {
  return `# Written by \`sallyport service install\`, which writes it anew: changes of your own belong into \`systemctl edit sallyport\`.
[Unit]
Description=Sallyport agent
Wants=network-online.target
After=network-online.target
# It never gives up: a network may be down for long.
StartLimitIntervalSec=0

[Service]
Type=exec
User=${account}
Group=${group}
ExecStart=${layout.current}/node --disable-warning=ExperimentalWarning ${layout.current}/app/sallyport.mjs run
UnsetEnvironment=NODE_OPTIONS NODE_DEBUG NODE_TLS_REJECT_UNAUTHORIZED
${credential === undefined ? "" : `LoadCredentialEncrypted=${credential.name}:${credential.file}\n`}Restart=always
RestartSec=5
RestartForceExitStatus=${TRY_AGAIN}
RestartPreventExitStatus=${FINAL.join(" ")}
# After SIGTERM it drains for drainSeconds of agent.yaml, 60 unless it says otherwise: who sets more there needs more here.
KillMode=control-group
TimeoutStopSec=90
UMask=0077
# A core would hold a credential.
LimitCORE=0
# The outer net above executorMemory: the supervisor, maxSessions executors and two warm ones.
MemoryMax=4G

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths=${layout.state}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateIPC=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
# AF_UNIX: names are looked up by way of the system's resolver.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# setpriv, which executors start by, gives up the rights that it has: none.
SystemCallFilter=capset
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** The account that a unit's text names. */
export const accountIn = (unit: string): string | undefined => /^User=(\S+)$/m.exec(unit)?.[1];
