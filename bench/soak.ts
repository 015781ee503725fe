import * as fs from "node:fs";
import { Interrupt } from "#cli/interrupt";
import { exitOk, exitUsage, runSoak } from "./soak/support/runner.ts";
import type { Soak } from "./soak/support/soak.ts";

/** Modules in the folder `soak` are soaks, by name; their helpers lie in folders of their own. */
function names(): string[] {
  return fs
    .readdirSync(new URL("./soak/", import.meta.url))
    .filter((file) => /^[a-z-]+\.js$/.test(file))
    .map((file) => file.slice(0, -".js".length))
    .sort();
}

async function load(name: string): Promise<Soak> {
  const { soak } = (await import(`./soak/${name}.js`)) as { readonly soak: Soak };
  return soak;
}

const usage = "Usage: npm run soak -- NAME [options]; npm run soak -- NAME --help tells a soak's own";

async function help(): Promise<number> {
  const lines = [usage, ""];
  for (const name of names()) lines.push(`  ${name.padEnd(14)} ${(await load(name)).summary}`);
  process.stdout.write(`${lines.join("\n")}\n`);
  return exitOk;
}

async function main([name = "", ...args]: readonly string[]): Promise<number> {
  if (name === "--help" || name === "-h") return help();
  if (!names().includes(name)) {
    const what = name === "" ? "which one?" : `no soak ${JSON.stringify(name)};`;
    process.stderr.write(`soak: ${what} There are: ${names().join(", ")}. ${usage}\n`);
    return exitUsage;
  }
  const stop = new Interrupt();
  try {
    return await runSoak(name, await load(name), args, { output: process, stop });
  } finally {
    stop.release();
  }
}

process.exitCode = await main(process.argv.slice(2));
