/** How the executor's code is loaded, from TypeScript sources. In the bundle `load-bundled.ts` takes this module's place. */
export const loadScript = (): Promise<typeof import("./script.ts")> => import("./script.ts");
