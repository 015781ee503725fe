import * as fs from "node:fs";

/** What a benchmark's module exports under the name `benchmark`: runs it and tells the exit code. */
export type Benchmark = (args: readonly string[]) => Promise<number>;

const exitUsage = 64;

/** Modules in this folder that are benchmarks, by name; their helpers lie in folders of their own. */
function names(): string[] {
  return fs
    .readdirSync(new URL(".", import.meta.url))
    .filter((file) => /^[a-z-]+\.js$/.test(file) && file !== "main.js" && file !== "soak.js")
    .map((file) => file.slice(0, -".js".length))
    .sort();
}

async function main([name = "", ...args]: readonly string[]): Promise<number> {
  if (name === "--help" || name === "-h") {
    const usage =
      "Usage: npm run bench -- NAME [options]; npm run bench -- NAME --help tells a benchmark's own";
    process.stdout.write(
      `${usage}\n\n${names()
        .map((one) => `  ${one}\n`)
        .join("")}`,
    );
    return 0;
  }
  if (!names().includes(name)) {
    const what = name === "" ? "which one?" : `no benchmark ${JSON.stringify(name)};`;
    process.stderr.write(
      `bench: ${what} There are: ${names().join(", ")}. Usage: npm run bench -- NAME [options]\n`,
    );
    return exitUsage;
  }
  const { benchmark } = (await import(`./${name}.js`)) as { readonly benchmark: Benchmark };
  return benchmark(args);
}

// What is started here is ended at this process's exit; a signal alone would leave it running.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.once(signal, () => process.exit(code));
process.exitCode = await main(process.argv.slice(2));
