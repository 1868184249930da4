#!/usr/bin/env node
/** `sallyport`: where it is to run for long it first becomes the process for that, so that nothing else is loaded twice. */
import { becomeSupervisor } from "./own-process.ts";

if (process.argv[2] === "run") becomeSupervisor(process.env);
// One after the other: schemas are made while modules are loaded. No `await` at the top: the single executable is CommonJS.
void import("../interpret-schemas.ts")
  .then(() => import("./program.ts"))
  .then(({ runCommandLine }) => runCommandLine());
