/** The FFI, from TypeScript sources. In the bundle `native-bundled.ts` takes this module's place. */
export { default as native } from "koffi";
