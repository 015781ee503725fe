/** A type that only its own constructor function makes, so that two ids cannot be swapped. Costs nothing at run time. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** A node's id within a group, as in `dLegerPeers`: letters, digits, `_`, `.`; never empty. */
export type NodeId = Brand<string, "NodeId">;
/** A Raft group's name (`dLegerGroup`). */
export type GroupId = Brand<string, "GroupId">;

/** DLedger's peer syntax splits at the first `-`, so an id never holds one. */
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._]{0,31}$/;
const groupPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** @throws RangeError when the text is not a node id. */
export function nodeId(text: string): NodeId {
  if (!idPattern.test(text)) throw new RangeError(`not a node id: ${JSON.stringify(text.slice(0, 64))}`);
  return text as NodeId;
}

/** @throws RangeError when the text is not a group id. Group ids name directories, so they never hold a slash. */
export function groupId(text: string): GroupId {
  if (!groupPattern.test(text)) throw new RangeError(`not a group id: ${JSON.stringify(text.slice(0, 64))}`);
  return text as GroupId;
}
