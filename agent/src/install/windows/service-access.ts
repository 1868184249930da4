/** Who may do what with a service (learn.microsoft.com, "SetServiceObjectSecurity"). */
import { withService } from "./control-manager.ts";
import { ERROR, library, once, succeed, WindowsError } from "./libraries.ts";
import { withDescriptor } from "./security.ts";

const WRITE_DAC = 0x40000;
const DACL_INFORMATION = 4;

const calls = once(() =>
  library("advapi32").func("int __stdcall SetServiceObjectSecurity(void *service, uint32_t what, void *descriptor)"),
);

/** Gives a service its list. @throws WindowsError */
export function setServiceAccess(name: string, sddl: string): void {
  const done = withService(name, WRITE_DAC, (service) =>
    withDescriptor(sddl, (descriptor) => {
      succeed("SetServiceObjectSecurity", calls()(service, DACL_INFORMATION, descriptor));
      return true;
    }),
  );
  if (done === undefined) throw new WindowsError(`OpenService ${name}`, ERROR.noSuchService);
}
