/**
 * The sign-in child's process. It may load native code, which no permission of Node's holds; so it is given no key of the
 * agent's, no order and no rows, writes nothing, and is gone before the first search.
 */
const permission = process.permission;
if (permission === undefined || permission.has("fs.write") || permission.has("child")) process.exit(78);
// An error's text may hold a login; nothing is printed, the exit code says enough.
process.on("uncaughtException", () => process.exit(70));
process.on("unhandledRejection", () => process.exit(70));

void import("./serve.ts").then(({ serveOneSignIn }) => serveOneSignIn()).then(() => process.exit(0));
