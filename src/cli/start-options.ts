import { Command, InvalidArgumentError, Option } from "commander";
import { configKeys } from "../prod/config-keys.ts";
import { runCommander } from "./log-options.ts";

export interface StartRequest {
  /** Whether the configuration file, a flag or a variable says which one node it is. */
  readonly single: boolean;
  /** One node, from this file; undefined for three nodes, or one given by flags alone. */
  readonly config: string | undefined;
  readonly basePort: number;
  /** Values of the configuration by key, as flags gave them. */
  readonly flags: { readonly [key: string]: string };
}

export const defaultBasePort = 40_911;
/** HTTP ports lie this far above the nodes' ports. */
export const httpOffset = 1_000;
const nodes = 3;
const selfIdVariable = "QUORUMLOG_SELF_ID";
const basePortMax = 65_535 - httpOffset - nodes + 1;

const closing = `
Without --config, --self-id and QUORUMLOG_SELF_ID three nodes are started, n0, n1 and n2, each a process of its own, with their data
under --data (default: data) and the other settings passed on to each of them (--readonly starts all three read-only), except
--peers and --http-port, which follow from --base-port, and --tls-cert and --tls-key, which are of one node.
Every setting can also stand in the configuration file or in its variable (QUORUMLOG_HTTP_PORT for --http-port); a
flag wins over a variable, a variable over the file. docs/CONFIGURATION.md describes them.

Exit codes: 0 stopped in order, by Ctrl-C or SIGTERM too, 1 every node died or a stop took too long, 64 usage, 69 a port
or directory is in use, 70 a fault of its own, 74 the output cannot be written, 78 bad configuration, or a data directory
that is damaged or cannot be made or written, 130 and 143 a second signal did not wait.`;

function basePortOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= basePortMax) return port;
  throw new InvalidArgumentError(`Allowed: a whole number from 1 to ${basePortMax}.`);
}

/** @returns the request, or the exit code when the command line ends here. */
export function parseStart(
  args: readonly string[],
  environment: { readonly [name: string]: string | undefined } = process.env,
): StartRequest | number {
  const program = new Command("quorumlog start")
    .description("Run three nodes on this machine, or one.")
    .option("--config <file>", "run one node from this file of properties")
    .option(
      "--base-port <n>",
      "nodes on this port and the next two, HTTP 1000 above",
      basePortOf,
      defaultBasePort,
    )
    .addHelpText("after", closing);
  for (const { flag, doc, allowed, fallback } of configKeys) {
    const usual = fallback === undefined ? "" : `; default ${fallback}`;
    // A flag that is true or false may stand alone.
    const value = allowed === "true or false" ? "[value]" : "<value>";
    program.addOption(new Option(`--${flag} ${value}`, `${doc} (${allowed}${usual})`).preset("true"));
  }
  const code = runCommander(program, args);
  if (code !== undefined) return code;
  if (program.args.length > 0) {
    process.stderr.write(`error: unexpected argument '${program.args[0]}'\n`);
    return 64;
  }
  const values = program.opts<{ config?: string; basePort: number } & Record<string, unknown>>();
  const flags: Record<string, string> = {};
  for (const { key, flag } of configKeys) {
    const value = values[camelCase(flag)];
    if (typeof value === "string") flags[key] = value;
  }
  const one =
    values.config !== undefined
      ? "--config"
      : flags["dLegerSelfId"] !== undefined
        ? "--self-id"
        : environment[selfIdVariable] !== undefined
          ? `the variable ${selfIdVariable}`
          : undefined;
  const wrong = misfit(one, program.getOptionValueSource("basePort") === "cli", flags);
  if (wrong !== undefined) {
    process.stderr.write(`error: ${wrong}\n(add --help for what is allowed)\n`);
    return 64;
  }
  return { single: one !== undefined, config: values.config, basePort: values.basePort, flags };
}

/** What belongs to the other way to start, so that nobody thinks it had an effect; undefined when nothing does. */
function misfit(
  one: string | undefined,
  basePortGiven: boolean,
  flags: StartRequest["flags"],
): string | undefined {
  if (one !== undefined) {
    if (!basePortGiven) return undefined;
    return `--base-port places three nodes, and ${one} starts one: its port is the one that it has in --peers (key dLegerPeers), its HTTP port --http-port`;
  }
  if (flags["httpPort"] !== undefined)
    return `--http-port is of one node (--config or --self-id); of three nodes, --base-port N puts HTTP at N+${httpOffset} to N+${httpOffset + nodes - 1}`;
  const tls = ["tlsCert", "tlsKey"].find((key) => flags[key] !== undefined);
  if (tls !== undefined)
    return `--${tls === "tlsCert" ? "tls-cert" : "tls-key"} is of one node (--config or --self-id): each has a certificate of its own`;
  if (flags["dLegerPeers"] !== undefined)
    return "--peers is of one node (--config or --self-id); three nodes are peers of each other, on the ports from --base-port on";
  return undefined;
}

/** As commander names an option's value. */
function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
