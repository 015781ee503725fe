import { Properties } from "properties-file/parser";
import { readSmallFile } from "./read-file.ts";

/** A line of the file that sets a key. */
export interface FileSetting {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

export interface ConfigFile {
  readonly settings: readonly FileSetting[];
  /** Lines that set nothing, by number: they are named, not refused. */
  readonly stray: readonly { readonly line: number; readonly text: string }[];
}

const fileBytesMax = 64 * 1_024;

/**
 * Reads a file of properties (`key=value`, as Java's). A line without `=` or `:` after an unknown word, and a line
 * that begins with a number of its own, as copied out of a document with line numbers, are stray.
 * @throws Error of the file system, or when it is no regular file, or larger than a configuration is.
 */
export function readConfigFile(file: string, isKnown: (key: string) => boolean): ConfigFile {
  const settings: FileSetting[] = [];
  const stray: { line: number; text: string }[] = [];
  for (const node of new Properties(readSmallFile(file, fileBytesMax).toString("utf8")).nodes) {
    if (node.type !== "property") continue;
    const { key, startingLineNumber: line } = node;
    const sets = isKnown(key) || (node.separatorChar !== undefined && !/^\d+$/.test(key));
    if (sets) settings.push({ key, value: node.value.trim(), line });
    else stray.push({ line, text: node.rawLines.join(" ").trim().slice(0, 120) });
  }
  return { settings, stray };
}
