import type { GroupId, NodeId } from "../core/base/brand.ts";
import { groupId, nodeId } from "../core/base/brand.ts";
import { LogError } from "../core/base/errors.ts";

// Programs without types call the library too: what they give is looked at, and what is wrong is a fault with a code.

/** @throws LogError index-out-of-range. */
export function checkedIndex(index: number): number {
  if (Number.isSafeInteger(index) && index >= 0) return index;
  throw new LogError("index-out-of-range", `not an index: ${shown(index)} (allowed: a whole number from 0)`);
}

/** @throws LogError bad-configuration. */
export function checkedGroup(text: string): GroupId {
  try {
    return groupId(text);
  } catch {
    throw new LogError(
      "bad-configuration",
      `group is ${shown(text)}; allowed: letters, digits, ".", "_", "-"`,
    );
  }
}

/** @throws LogError unknown-node: what is no id at all is the id of no node. */
export function checkedNode(text: string): NodeId {
  try {
    return nodeId(text);
  } catch {
    throw new LogError(
      "unknown-node",
      `no node has the id ${shown(text)} (allowed: letters, digits, ".", "_")`,
    );
  }
}

/** @throws LogError bad-configuration: a "false" must not switch anything on. */
export function checkedSwitch(value: boolean): boolean {
  if (typeof value === "boolean") return value;
  throw new LogError("bad-configuration", `readOnly is ${shown(value)}; allowed: true or false`);
}

/** A value as a message may hold it, whatever it is. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
