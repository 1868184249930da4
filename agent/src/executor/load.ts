/** How the executor's code is loaded, from TypeScript sources. In the bundle `load-bundled.ts` takes this module's place. */
export const loadServe = (): Promise<typeof import("./serve.ts")> => import("./serve.ts");
