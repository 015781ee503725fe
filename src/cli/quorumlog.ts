#!/usr/bin/env node
import * as fs from "node:fs";
import { exitCodes } from "../prod/exit-codes.ts";
import { leaveWithoutOutput, OutputError, outputErrorOf } from "./output-fault.ts";
import { nearest } from "./suggest.ts";

/** One subcommand. Only the wanted one is loaded, so that each starts fast. */
interface Subcommand {
  readonly name: string;
  readonly summary: string;
  /** Loads it. What it gives runs the command and tells the exit code. */
  readonly load: () => Promise<(args: readonly string[]) => Promise<number>>;
}

const subcommands: readonly Subcommand[] = [
  {
    name: "sim",
    summary: "rehearse a scenario in the simulator",
    load: async () => (await import("./sim.ts")).simCommand,
  },
  {
    name: "mutants",
    summary: "plant known bugs and count the seeds until the simulator finds them",
    load: async () => (await import("./mutants.ts")).mutantsCommand,
  },
  {
    name: "start",
    summary: "start three nodes on this machine, or one from a configuration file",
    load: async () => (await import("./start.ts")).startCommand,
  },
  {
    name: "log",
    summary: "append to a log, read and follow it, see who leads, transfer leadership",
    load: async () => (await import("./log.ts")).logCommand,
  },
  {
    name: "certs",
    summary: "make the keys and certificates that a cluster and its clients need for TLS",
    load: async () => (await import("./certs.ts")).certsCommand,
  },
];

function help(): string {
  const lines = subcommands.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`);
  return [
    "Usage: quorumlog <command> [options]",
    "",
    "A replicated log, rehearsed in a deterministic simulator.",
    "",
    "Commands:",
    ...lines,
    "",
    "Options:",
    "  --version  print the version (-v)",
    "  --help     print this, or with a command its options",
    "",
  ].join("\n");
}

function version(): string {
  const text = fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** @returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [word = "", ...rest] = args;
  if (["--version", "-V", "-v"].includes(word)) {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const wantsHelp = word === "--help" || word === "-h" || word === "help";
  const name = word === "help" ? (rest[0] ?? "") : word;
  if (wantsHelp && (word !== "help" || name === "")) {
    process.stdout.write(help());
    return 0;
  }
  const subcommand = subcommands.find((candidate) => candidate.name === name);
  if (subcommand !== undefined) {
    // `help log append` and `log help append` are `log append --help`.
    const asked = word === "help" || rest[0] === "help" ? [...rest.slice(1), "--help"] : rest;
    return (await subcommand.load())(asked);
  }
  if (name === "") process.stderr.write(help());
  else {
    const names = subcommands.map((candidate) => candidate.name);
    const near = nearest(name, names);
    const hint = near === undefined ? "" : ` Did you mean ${near}?`;
    process.stderr.write(
      `quorumlog: unknown command ${JSON.stringify(name)}.${hint} There are: ${names.join(", ")}.\n`,
    );
  }
  return exitCodes.usage;
}

for (const [name, stream] of [
  ["standard output", process.stdout],
  ["standard error", process.stderr],
] as const) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read our output has seen enough.
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    leaveWithoutOutput(new OutputError(name, error));
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const fault = outputErrorOf(error);
  if (fault === undefined) throw error;
  leaveWithoutOutput(fault);
}
