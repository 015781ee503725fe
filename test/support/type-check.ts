import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { harmlessDiagnostics } from "#cli/mutants-scratch";
import { projectRoot } from "./sources.ts";

/** A file of `src/core`, as its path in the project, with another text. */
export interface EditedFile {
  readonly name: string;
  readonly file: string;
  readonly text: string;
}

/**
 * Checks the types of many edits of `src/core` at once: each edited file stands beside the others under a name of its own, and
 * so does an unedited copy of it. What is wrong with that one too (its classes are not those of the file that it copies)
 * is no fault of the edit.
 * @returns of each edit that does not compile what is wrong, by its name.
 */
export function typeFaults(edits: readonly EditedFile[]): ReadonlyMap<string, readonly string[]> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-types-"));
  try {
    for (const name of ["package.json", "tsconfig.base.json", "src/core"])
      fs.cpSync(path.join(projectRoot, name), path.join(root, name), { recursive: true });
    const copies = new Map<string, string>();
    const write = (file: string, label: string, text: string): void => {
      const copy = file.replace(/\.ts$/, `.${label}.ts`);
      copies.set(copy, label);
      fs.writeFileSync(path.join(root, copy), text);
    };
    for (const file of new Set(edits.map((edit) => edit.file)))
      write(file, unedited, fs.readFileSync(path.join(projectRoot, file), "utf8"));
    for (const { name, file, text } of edits) write(file, name, text);
    return faultsByEdit(compilerOutput(root), copies);
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

const unedited = "unedited";

function compilerOutput(root: string): readonly string[] {
  const tsc = path.join(projectRoot, "node_modules/typescript/bin/tsc");
  const args = [tsc, "--noEmit", "--pretty", "false", "-p", "src/core"];
  const { stdout, stderr, error } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  if (error !== undefined) throw error;
  return `${stdout}${stderr}`.split("\n");
}

function faultsByEdit(
  output: readonly string[],
  copies: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly string[]> {
  const found: { file: string; label: string; message: string }[] = [];
  for (const line of output) {
    const [, file = "", code, message = ""] = /^(.*)\(\d+,\d+\): error TS(\d+): (.*)$/.exec(line) ?? [];
    const label = copies.get(file);
    if (code === undefined || harmlessDiagnostics.has(Number(code))) continue;
    if (label === undefined) throw new Error(`the compiler finds fault with an unedited file: ${line}`);
    found.push({ file: file.replace(`.${label}.ts`, ".ts"), label, message: `TS${code}: ${message}` });
  }
  const usual = new Set(
    found.filter(({ label }) => label === unedited).map(({ file, message }) => `${file} ${message}`),
  );
  const faults = new Map<string, string[]>();
  for (const { file, label, message } of found) {
    if (label === unedited || usual.has(`${file} ${message}`)) continue;
    faults.set(label, [...(faults.get(label) ?? []), message]);
  }
  return faults;
}
