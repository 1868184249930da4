/** The updater's units for systemd (systemd.service(5), systemd.path(5)); `service install` and the package write them. */
import type { Layout } from "../install/layout.ts";
import { updatePlaces } from "./places.ts";
import { UPDATE_UNIT } from "./service.ts";

export const UPDATE_PATH_UNIT = "sallyport-update.path";

/**
 * The oneshot, as root. It reaches no network: its only sockets are those of the service manager. It is also started at boot, after
 * the agent: with nothing under way it ends at once.
 */
export function updateServiceUnit(layout: Layout): string {
  const { updater } = updatePlaces(layout);
  return `# ${UPDATE_UNIT}
[Unit]
Description=Sallyport updater: verifies what the agent has downloaded, installs it, goes back if it does not work
Documentation=file:///usr/share/doc/sallyport/update.md
After=sallyport.service
ConditionPathIsSymbolicLink=${updater}

[Service]
Type=oneshot
ExecStart=${updater}/node --disable-sigusr1 --disable-warning=ExperimentalWarning ${updater}/app/updater.mjs
TimeoutStartSec=infinity
UMask=0022
LimitCORE=0
PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
ProtectSystem=strict
ReadWritePaths=${layout.program} ${layout.state}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_SETUID CAP_SETGID
SystemCallArchitectures=native
SystemCallFilter=@system-service
UnsetEnvironment=NODE_OPTIONS NODE_DEBUG NODE_TLS_REJECT_UNAUTHORIZED

[Install]
WantedBy=multi-user.target
`;
}

/** Starts it when the agent has something for its hour. What the file holds is not read. */
export const updatePathUnit = (layout: Layout): string => `# ${UPDATE_PATH_UNIT}
[Unit]
Description=Sallyport: an update waits for the updater

[Path]
PathChanged=${updatePlaces(layout).ready}
Unit=${UPDATE_UNIT}

[Install]
WantedBy=multi-user.target
`;
