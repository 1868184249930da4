/**
 * In the bundle this stands where the driver asks for `@azure/identity`, `@azure/core-auth` and `@azure/keyvault-keys`
 * (test/build/agent.ts). The agent signs in to SQL Server by what a request brings, so none of them is ever called; with
 * them the bundle would hold forty packages more.
 */
function refuse(): never {
  throw new Error("This agent signs in to SQL Server by a login of the server only.");
}

export {
  refuse as ClientSecretCredential,
  refuse as CryptographyClient,
  refuse as DefaultAzureCredential,
  refuse as isTokenCredential,
  refuse as KeyClient,
  refuse as ManagedIdentityCredential,
  refuse as UsernamePasswordCredential,
};
