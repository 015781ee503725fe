import Table from "cli-table3";
import type { LogEntry, NodeStatus } from "../prod/index.ts";
import { visible } from "../prod/visible.ts";

type Known = Pick<
  NodeStatus,
  "term" | "commitIndex" | "lastIndex" | "chainCrc" | "lag" | "readOnly" | "intake" | "pid"
>;

/**
 * A node of a status report: the same keys for each, null where nothing is known. `standing` is there beside them when
 * the node may not take part in full, `error` when it cannot be reached.
 */
export type StatusRow =
  | (Pick<NodeStatus, "id" | "role"> & Known & Partial<Pick<NodeStatus, "standing">>)
  | ({ readonly id: string; readonly role: "unreachable"; readonly error: string } & {
      readonly [key in keyof Known]: null;
    });

export interface StatusReport {
  readonly group: string;
  /** The leader's id; null while none is known. */
  readonly leader: string | null;
  readonly nodes: readonly StatusRow[];
}

export function unreachableRow(id: string, error: string): StatusRow {
  const unknown = { term: null, commitIndex: null, lastIndex: null, chainCrc: null, lag: null };
  return { id, role: "unreachable", ...unknown, readOnly: null, intake: null, pid: null, error };
}

/** UTF-8 text where the bytes are that, base64 otherwise. */
export function dataFields(data: Uint8Array): { readonly data: string; readonly encoding?: "base64" } {
  try {
    return { data: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data) };
  } catch {
    return { data: Buffer.from(data).toString("base64"), encoding: "base64" };
  }
}

export function entryJson({ index, term, data }: LogEntry): string {
  return JSON.stringify({ index, term, ...dataFields(data) });
}

/** One entry, one line, for people; control characters are shown, never sent to the terminal. */
export function entryLine({ index, term, data }: LogEntry): string {
  const { data: text, encoding } = dataFields(data);
  const shown = encoding === undefined ? visible(text) : `base64:${text}`;
  return `${String(index).padStart(8)}  term ${term}  ${shown}`;
}

const statusHead = ["node", "role", "term", "commit", "last", "chain crc", "lag", "intake", "pid"];

export function statusTable({ group, leader, nodes }: StatusReport): string {
  const rows = nodes.map((node) =>
    node.role === "unreachable"
      ? [node.id, node.role, "", "", "", "", "", "", ""]
      : [
          node.id,
          node.standing === undefined ? node.role : `${node.role} (${node.standing})`,
          String(node.term),
          String(node.commitIndex),
          String(node.lastIndex),
          node.chainCrc.toString(16).padStart(8, "0"),
          String(node.lag),
          node.intake,
          String(node.pid),
        ],
  );
  return `group ${group}, leader ${leader ?? "unknown"}\n${table(statusHead, rows)}`;
}

/** A table with lines on a terminal, columns of spaces elsewhere. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (process.stdout.isTTY) {
    const drawn = new Table({ head: [...head], style: { head: [], border: [] } });
    for (const row of rows) drawn.push([...row]);
    return drawn.toString();
  }
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
