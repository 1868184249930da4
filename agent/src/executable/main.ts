/** The single executable's start: which of its scripts this process is. Each is compiled only where it is needed. */
import { EXECUTOR_MODULE, SIGN_IN_MODULE } from "../program-executable.ts";
import { runAsset } from "./asset.ts";

switch (process.argv[2]) {
  case EXECUTOR_MODULE:
    void import("../executor/main.ts");
    break;
  case SIGN_IN_MODULE:
    runAsset("sign-in.js");
    break;
  default:
    runAsset("sallyport.js");
}
