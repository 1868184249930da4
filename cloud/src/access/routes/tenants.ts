/** Routes of tenants, their sites and agents. */
import { agentKey } from "@sallyport/shared/crypto/agent-key.ts";
import { newCode, newSite, newTenant, offboarding, tenantChange } from "@sallyport/shared/schema/api.ts";
import {
  agentView,
  auditView,
  createdCode,
  named,
  offboarded,
  removed,
  tenantExport,
  tenantView,
} from "@sallyport/shared/schema/api-views.ts";
import { z } from "zod";
import type { GuardedRoute } from "./route.ts";

const TENANT = "v1/tenants/{tenant}";
const SITE = `${TENANT}/sites/{site}`;

export const TENANTS = {
  "tenants-add": {
    ...{ method: "POST", path: "v1/tenants", scope: "tenants:write", about: "platform", status: 200 },
    does: "Makes a tenant; the same again is no error.",
    body: newTenant,
    answer: named,
  },
  "tenants-list": {
    ...{ method: "GET", path: "v1/tenants", scope: "tenants:write", about: "platform", status: 200, list: true },
    does: "All tenants, by id.",
    answer: z.array(named),
  },
  "tenants-get": {
    ...{ method: "GET", path: TENANT, scope: "sites:read", about: "tenant", status: 200, tag: true },
    does: "A tenant with its quotas, and how much of them it uses.",
    answer: tenantView,
  },
  "tenants-change": {
    ...{ method: "PUT", path: TENANT, scope: "tenants:write", about: "tenant", status: 200, tag: true },
    does: "Changes a tenant's name or quotas; what the body leaves out stays.",
    body: tenantChange,
    answer: tenantView,
  },
  "tenants-export": {
    ...{ method: "GET", path: `${TENANT}/export`, scope: "tenants:export", about: "tenant", status: 200 },
    does: "Everything that is stored of a tenant but secrets and results: sites, agents, connections, pulls, keys.",
    answer: tenantExport,
  },
  "tenants-offboard": {
    ...{ method: "POST", path: `${TENANT}/offboard`, scope: "tenants:offboard", about: "tenant", status: 200 },
    does: "Ends a tenant: its keys and agents stop working, its pulls stop, its credentials and, if wanted, results are deleted. Call it until `done`.",
    body: offboarding,
    answer: offboarded,
  },
  "audit-list": {
    ...{ method: "GET", path: `${TENANT}/audit`, scope: "audit:read", about: "tenant", status: 200, list: true },
    does: "Changes to a tenant, newest first.",
    answer: z.array(auditView),
  },
  "audit-list-platform": {
    ...{ method: "GET", path: "v1/audit", scope: "audit:read", about: "platform", status: 200, list: true },
    does: "Changes above tenants (tenants, keys, ticks by hand), newest first.",
    answer: z.array(auditView),
  },
  "sites-add": {
    ...{ method: "POST", path: `${TENANT}/sites`, scope: "sites:write", about: "body", status: 200 },
    does: "Makes a site; the same again is no error.",
    body: newSite,
    answer: named,
  },
  "sites-list": {
    ...{ method: "GET", path: `${TENANT}/sites`, scope: "sites:read", about: "list", status: 200, list: true },
    does: "A tenant's sites, by id.",
    answer: z.array(named),
  },
  "sites-remove": {
    ...{ method: "DELETE", path: SITE, scope: "sites:write", about: "site", status: 200 },
    does: "Removes a site that has no connection, and no agent that is not revoked.",
    answer: removed,
  },
  "codes-add": {
    ...{ method: "POST", path: `${SITE}/codes`, scope: "sites:write", about: "site", status: 200, secret: true },
    does: "An enrolment code, shown once, valid for 15 minutes. `autoApprove` needs the scope agents:approve, too.",
    body: newCode,
    answer: createdCode,
  },
  "agents-list": {
    ...{ method: "GET", path: `${SITE}/agents`, scope: "sites:read", about: "site", status: 200, list: true },
    does: "A site's agents with their fingerprints and their state.",
    answer: z.array(agentView),
  },
  "agents-keys": {
    ...{ method: "GET", path: `${SITE}/agent-keys`, scope: "sites:read", about: "site", status: 200 },
    does: "Public keys of a site's active agents, to seal credentials to.",
    answer: z.array(agentKey),
  },
  "agents-approve": {
    ...{ method: "POST", path: `${SITE}/agents/{agent}/approve`, scope: "agents:approve", about: "site", status: 200 },
    does: "Approves an agent, after its fingerprint was compared on both screens; clears an alert about its journal.",
    answer: agentView,
  },
  "agents-drain": {
    ...{ method: "POST", path: `${SITE}/agents/{agent}/drain`, scope: "agents:approve", about: "site", status: 200 },
    does: "Sends an agent no new sessions; those that run go on.",
    answer: agentView,
  },
  "agents-resume": {
    ...{ method: "POST", path: `${SITE}/agents/{agent}/resume`, scope: "agents:approve", about: "site", status: 200 },
    does: "Sends a drained agent sessions again.",
    answer: agentView,
  },
  "agents-revoke": {
    ...{ method: "POST", path: `${SITE}/agents/{agent}/revoke`, scope: "agents:approve", about: "site", status: 200 },
    does: "Revokes an agent at once; its running sessions end within 20 seconds.",
    answer: agentView,
  },
} as const satisfies Record<string, GuardedRoute>;
