import { Command, CommanderError } from "commander";
import { scenarios } from "#scenarios/index";
import { formatMicros } from "../sim/settings.ts";
import { Interrupt } from "./interrupt.ts";
import type { RawSimOptions } from "./sim-args.ts";
import { defaultScenario, parseSimArguments } from "./sim-args.ts";
import { UsageError } from "./usage-error.ts";

const exitUsage = 2;

/** `quorumlog sim`. @returns the exit code. */
export async function simCommand(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const command = program().action(async (options: RawSimOptions) => {
    exitCode = await simulate(options);
  });
  try {
    await command.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has printed its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitUsage;
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`quorumlog sim: ${error.message}\n`);
    return exitUsage;
  }
}

function program(): Command {
  return new Command("quorumlog sim")
    .description("Rehearses a scenario in the simulator: one seed and its story, or many and a summary.")
    .exitOverride()
    .showSuggestionAfterError()
    .option("--scenario <name>", `which rehearsal, see --list (default: ${defaultScenario})`)
    .option("--seed <n>", "the seed of one run (default: 1)")
    .option("--seeds <a..b>", "run every seed of a range and print a summary")
    .option("--jobs <n>", "worker threads for --seeds (default: 1)")
    .option("--nodes <n>", "size of the group, instead of a drawn one")
    .option("--duration <time>", "how long the faults go on, e.g. 60s")
    .option("--override <setting=value>", "fix a setting, e.g. network.loss=0.1; repeatable", collect)
    .option("--check-determinism", "run twice and compare event by event")
    .option("--trace <file>", "write every trace event as a line of JSON")
    .option("--decisions <file>", "write the faults that chance decided")
    .option("--replay <file>", "take the faults from such a file instead of from chance")
    .option("--list", "print the scenarios")
    .option("--json", "print one object on one line")
    .addHelpText(
      "after",
      "\nExit codes: 0 pass, 1 safety broken, 2 wrong usage, 3 no progress, 4 not deterministic, 5 crash, 6 in 500 seeds a rare situation\nnever reached or the median seed below its floor, 74 the output cannot be written, 130 interrupted, 143 terminated.",
    );
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** @throws UsageError when the options are wrong. @returns the exit code. */
async function simulate(options: RawSimOptions): Promise<number> {
  if (options.list === true) {
    process.stdout.write(options.json === true ? `${JSON.stringify(listed())}\n` : listTable());
    return 0;
  }
  const args = parseSimArguments(options);
  const interrupt = new Interrupt();
  try {
    const run = args.many
      ? (await import("./sim-batch.ts")).simulateMany
      : (await import("./sim-single.ts")).simulateOne;
    return (await run(args, interrupt)) ?? interrupt.exitCode;
  } finally {
    interrupt.release();
  }
}

function listed(): object {
  return {
    scenarios: scenarios.map(({ name, summary, nodes, duration, budget }) => ({
      name,
      summary,
      nodes,
      durationMs: duration / 1_000,
      budget,
    })),
  };
}

function listTable(): string {
  const width = Math.max(...scenarios.map(({ name }) => name.length));
  const lines = scenarios.map(
    ({ name, summary, nodes, duration }) =>
      `${name.padEnd(width)}  ${summary} (${nodes.join(", ")} nodes, ${formatMicros(duration)})`,
  );
  return `${lines.join("\n")}\n`;
}
