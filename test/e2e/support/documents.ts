import * as fs from "node:fs";
import * as path from "node:path";
import { projectRoot } from "../../support/sources.ts";

/** A command that a document shows. */
export interface ShownCommand {
  /** The document's path within the project. */
  readonly document: string;
  readonly line: number;
  /** Without its comment. */
  readonly text: string;
  /** It is named in a sentence, not shown to be typed. */
  readonly inProse: boolean;
}

/** A program that a document shows. */
export interface ShownProgram {
  readonly document: string;
  readonly line: number;
  readonly text: string;
}

interface Block {
  readonly language: string;
  /** Of the block's first line. */
  readonly line: number;
  readonly lines: readonly string[];
}

/** What stands in prose and is a command all the same. */
const inlineCommand = /`((?:npm (?:ci|run|start|test|pack)|npx|node|curl|bin\/quorumlog|\.ci\/run)\b[^`]*)`/g;

export function commandsOf(document: string): ShownCommand[] {
  const { blocks, prose } = parse(document);
  const shown: ShownCommand[] = [];
  for (const { language, line, lines } of blocks) {
    if (!/^(sh|bash|shell|console)$/.test(language)) continue;
    lines.forEach((text, at) => {
      const command = text.replace(/(^| )#.*$/, "").trim();
      if (command !== "") shown.push({ document, line: line + at, text: command, inProse: false });
    });
  }
  for (const { line, text } of prose)
    for (const [, command = ""] of text.matchAll(inlineCommand))
      shown.push({ document, line, text: command, inProse: true });
  return shown.sort((a, b) => a.line - b.line);
}

/** Programs that use the package, as `ts` blocks. */
export function programsOf(document: string): ShownProgram[] {
  return parse(document)
    .blocks.filter(({ language, lines }) => /^(ts|js)$/.test(language) && /"quorumlog/.test(lines.join("\n")))
    .map(({ line, lines }) => ({ document, line, text: lines.join("\n") }));
}

function parse(document: string): { blocks: Block[]; prose: { line: number; text: string }[] } {
  const lines = fs.readFileSync(path.join(projectRoot, document), "utf8").split("\n");
  const blocks: Block[] = [];
  const prose: { line: number; text: string }[] = [];
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at] ?? "";
    const fence = /^```(\w*)/.exec(text);
    if (fence === null) {
      prose.push({ line: at + 1, text });
      continue;
    }
    const end = lines.indexOf("```", at + 1);
    if (end < 0) throw new Error(`${document}:${at + 1}: a block without an end`);
    blocks.push({ language: fence[1] ?? "", line: at + 2, lines: lines.slice(at + 1, end) });
    at = end;
  }
  return { blocks, prose };
}
