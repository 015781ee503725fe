import { spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import type { Mutant } from "../sim/mutant/mutant.ts";
import { applyMutant, matches } from "../sim/mutant/mutant.ts";

/** What a scratch copy needs to compile and run; whatever else the repository holds stays out of it. */
const copied: readonly string[] = [
  "package.json",
  "tsconfig.json",
  "tsconfig.base.json",
  "src",
  "scenarios",
  "bench",
  "examples",
  "dist",
];

/**
 * Diagnostics that say "this is never used" or "this is never reached": a planted bug often leaves such a thing behind,
 * and it is no reason to call the edit a program that does not compile.
 */
export const harmlessDiagnostics: ReadonlySet<number> = new Set([
  6133, 6138, 6192, 6196, 6198, 6199, 6205, 7027, 7028, 2872, 2873,
]);

/** A copy of the repository in the system's temporary directory. */
export class Scratch {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async copyOf(repository: string): Promise<Scratch> {
    const root = await fs.mkdtemp(path.join(os.tmpdir(), "quorumlog-mutant-"));
    for (const name of copied) {
      const from = path.join(repository, name);
      // Times are kept, so that the compiler sees at once what it need not compile again.
      await fs.cp(from, path.join(root, name), {
        recursive: true,
        preserveTimestamps: true,
        filter: (source) => !source.endsWith(`${path.sep}lock`),
      });
    }
    await fs.symlink(path.join(repository, "node_modules"), path.join(root, "node_modules"), "junction");
    return new Scratch(root);
  }

  /** @returns why the mutant cannot be planted; undefined when it was, and the program compiles. */
  async plant(mutant: Mutant): Promise<string | undefined> {
    const file = path.join(this.root, mutant.file);
    let text: string;
    try {
      text = await fs.readFile(file, "utf8");
    } catch {
      return `there is no ${mutant.file}`;
    }
    const edited = applyMutant(mutant, text);
    if (edited === undefined)
      return `"find" matches ${matches(mutant, text)} times in ${mutant.file}, not once`;
    await fs.writeFile(file, edited);
    const error = await this.compile();
    return error === undefined ? undefined : `the edit does not compile: ${error}`;
  }

  /** @returns the first error; undefined when the program compiles. */
  async compile(): Promise<string | undefined> {
    const tsc = path.join(this.root, "node_modules/typescript/bin/tsc");
    const { code, output } = await run(process.execPath, [tsc, "--build", "--pretty", "false"], this.root);
    if (code === 0) return undefined;
    const errors = output.split("\n").filter((line) => /error TS\d+/.test(line));
    const serious = errors.find((line) => !harmlessDiagnostics.has(Number(/error TS(\d+)/.exec(line)?.[1])));
    if (serious !== undefined) return serious.trim();
    return errors.length > 0 ? undefined : `${output.trim().slice(0, 500)} (exit code ${code})`;
  }

  async remove(): Promise<void> {
    await fs.rm(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (chunk: Buffer): void => {
      output += chunk.toString("utf8");
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
