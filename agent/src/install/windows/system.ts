/** Windows itself, as the verbs use it. Loaded on Windows only. */

import { isAdministrator } from "./account-groups.ts";
import {
  changeService,
  deleteService,
  ensureService,
  readConfiguration,
  readState,
  startService,
  stopService,
} from "./control-manager.ts";
import { registerSource, unregisterSource } from "./event-log.ts";
import { allowServiceLogon } from "./logon-right.ts";
import { lookUpSid, makeFolder, readSddl, writeSddl } from "./security.ts";
import { setServiceAccess } from "./service-access.ts";
import type { Windows } from "./windows.ts";

export const windows: Windows = {
  ...{ deleteService, ensureService, readConfiguration, readState, startService, stopService },
  ...{ registerSource, unregisterSource, allowServiceLogon, lookUpSid, readSddl, writeSddl },
  ...{ makeFolder, isAdministrator, changeService, setServiceAccess },
};
