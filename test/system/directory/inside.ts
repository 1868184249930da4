/** The checks of the suite `directory`, in the namespace that `suite.ts` makes. */
import { checkChanges } from "./changes.ts";
import { provision } from "./controller.ts";
import { tellingCheck } from "./namespace.ts";
import { peopleLdif } from "./people.ts";
import { checkReading } from "./reading.ts";
import { checkSignIns } from "./sign-ins.ts";
import { checkWrites } from "./writes.ts";

const controller = await provision();
try {
  await tellingCheck("5,000 users and 200 groups are put in", async () => {
    await controller.add(peopleLdif());
    await controller.tool("domain", "passwordsettings", "set", "--account-lockout-threshold=3");
  });
  await controller.start();
  await checkSignIns(tellingCheck, controller);
  await checkReading(tellingCheck, controller);
  await checkChanges(tellingCheck, controller);
  await checkWrites(tellingCheck, controller);
} finally {
  await controller.remove();
}
