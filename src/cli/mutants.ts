import * as fs from "node:fs/promises";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { scenarios } from "#scenarios/index";
import type { Mutant } from "../sim/mutant/mutant.ts";
import { parseMutant } from "../sim/mutant/mutant.ts";
import type { MutantResult } from "../sim/mutant/result.ts";
import { reportOf } from "../sim/mutant/result.ts";
import { Interrupt } from "./interrupt.ts";
import { mutantsUsage, parseMutantsArguments } from "./mutants-options.ts";
import { MutantPool } from "./mutants-pool.ts";
import { tableOf } from "./mutants-table.ts";
import { meant } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";

const exitSurvivors = 1;
const exitUsage = 2;

/** Root of the repository: this module is `src/cli/mutants.ts` or `dist/cli/mutants.js` in it. */
const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/** A mutant as it was read: `flaw` tells why it is none. */
interface ReadMutant {
  readonly name: string;
  readonly mutant: Mutant | undefined;
  readonly flaw: string;
}

/** `quorumlog mutants`: plants each bug in a scratch copy and runs seeds until a checker fires. @returns the exit code. */
export async function mutantsCommand(args: readonly string[]): Promise<number> {
  try {
    const options = parseMutantsArguments(args);
    if (options.help) {
      process.stdout.write(`${mutantsUsage}\n`);
      return 0;
    }
    await checkRepository();
    const names = scenariosOf(options.scenarios);
    const read = selected(await readMutants(path.resolve(options.dir)), options.only);
    const { results, interrupted } = await runAll(read, names, options);
    const report = reportOf(results);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${tableOf(report)}\n`);
    return interrupted ?? (report.survived === 0 ? 0 : exitSurvivors);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`quorumlog mutants: ${error.message}\n`);
    return exitUsage;
  }
}

async function checkRepository(): Promise<void> {
  for (const needed of ["src/core", "scenarios", "node_modules/typescript"]) {
    const found = await fs.stat(path.join(repository, needed)).catch(() => undefined);
    if (found === undefined)
      throw new UsageError(
        `${path.join(repository, needed)} is missing: mutants edit the sources, so this runs in the repository only`,
      );
  }
}

async function readMutants(dir: string): Promise<readonly ReadMutant[]> {
  const names = await fs.readdir(dir).catch(() => undefined);
  if (names === undefined) throw new UsageError(`--dir ${dir}: there is no such directory`);
  const files = names.filter((name) => name.endsWith(".json")).sort();
  if (files.length === 0) throw new UsageError(`--dir ${dir}: it holds no mutant, that is no *.json`);
  const read: ReadMutant[] = [];
  for (const file of files) {
    const mutant = parseMutant(await fs.readFile(path.join(dir, file), "utf8"));
    const name = typeof mutant === "string" ? path.basename(file, ".json") : mutant.name;
    const twice = read.some((other) => other.name === name) ? "another mutant has this name" : "";
    const flaw = typeof mutant === "string" ? mutant : scenarioFlaw(mutant) || twice;
    read.push({ name, mutant: typeof mutant === "string" ? undefined : mutant, flaw });
  }
  return read;
}

function scenarioFlaw(mutant: Mutant): string {
  const names = scenarios.map((scenario) => scenario.name);
  if (mutant.scenario === undefined || names.includes(mutant.scenario)) return "";
  return `no scenario is called "${mutant.scenario}"; there are ${names.join(", ")}`;
}

function selected(read: readonly ReadMutant[], only: string | undefined): readonly ReadMutant[] {
  if (only === undefined) return read;
  const found = read.filter((mutant) => mutant.name === only);
  if (found.length > 0) return found;
  const names = read.map((mutant) => mutant.name);
  throw new UsageError(`--only ${only}: no mutant has this name.${meant(only, names)}`);
}

/** The scenarios to run, in their own order. */
function scenariosOf(wanted: readonly string[]): readonly string[] {
  const all = scenarios.map((scenario) => scenario.name);
  for (const name of wanted) {
    if (!all.includes(name))
      throw new UsageError(`--scenario ${name}: there is none of this name.${meant(name, all)}`);
  }
  return wanted.length === 0 ? all : all.filter((name) => wanted.includes(name));
}

/** @returns one result a mutant, in their order; the exit code when the user interrupted, and the results until then. */
async function runAll(
  read: readonly ReadMutant[],
  names: readonly string[],
  options: { readonly seeds: number; readonly jobs: number },
): Promise<{ readonly results: readonly MutantResult[]; readonly interrupted: number | undefined }> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const pool = new MutantPool({
    repository,
    scenarios: names,
    seedMax: options.seeds,
    jobs: options.jobs,
    say,
  });
  const interrupt = new Interrupt();
  interrupt.onRequest(() => pool.stop());
  try {
    for (const { name, flaw } of read) if (flaw !== "") say(`${name}: invalid: ${flaw}`);
    const valid = read.flatMap(({ mutant, flaw }) => (mutant !== undefined && flaw === "" ? [mutant] : []));
    const results = await pool.run(valid);
    const judged = read.flatMap(({ name, flaw }) => {
      const result = flaw === "" ? results.get(name) : invalid(name);
      return result ?? (interrupt.requested ? [] : invalid(name));
    });
    return { results: judged, interrupted: interrupt.requested ? interrupt.exitCode : undefined };
  } finally {
    interrupt.release();
  }
}

function invalid(name: string): MutantResult {
  return { name, found: false, scenario: null, seeds: 0, checker: null, verdict: "invalid", seconds: 0 };
}
