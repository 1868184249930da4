/** What is used of js-md4, which brings no types. */
declare module "js-md4" {
  const library: { arrayBuffer(message: Uint8Array): ArrayBuffer };
  export default library;
}
