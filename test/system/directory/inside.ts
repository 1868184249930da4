/** The checks of the suite `directory`, in the namespace that `suite.ts` makes. */
import { checkChanges } from "./changes.ts";
import { provision } from "./controller.ts";
import { checkDelegation } from "./delegation.ts";
import { checkInterruptions } from "./interruptions.ts";
import { checkKerberosPull } from "./kerberos-pull.ts";
import { tellingCheck } from "./namespace.ts";
import { peopleLdif } from "./people.ts";
import { checkReading } from "./reading.ts";
import { checkSignIns } from "./sign-ins.ts";
import { checkWrites } from "./writes.ts";

/** What changes are drawn from; `--seed N` takes another. */
const SEED = Number(process.argv[2] ?? 20261122);

const controller = await provision();
try {
  await tellingCheck("5,000 users and 200 groups are put in", async () => {
    await controller.add(peopleLdif());
    await controller.tool("domain", "passwordsettings", "set", "--account-lockout-threshold=3");
  });
  await controller.start();
  await checkSignIns(tellingCheck, controller);
  await checkReading(tellingCheck, controller);
  await checkChanges(tellingCheck, controller, SEED);
  await checkWrites(tellingCheck, controller);
  await checkDelegation(tellingCheck, controller);
  await checkKerberosPull(tellingCheck, controller);
  await checkInterruptions(tellingCheck, controller);
} finally {
  await controller.remove();
}
