import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { defaultGroup, defaultPeers } from "../prod/defaults.ts";
import { parsePeers, peerListAllowed } from "../prod/peer-list.ts";

/** Options of every `log` command. */
export interface CommonOptions {
  readonly peers: string;
  readonly group: string;
  readonly timeoutMs: number;
  readonly json: boolean;
  readonly tls: TlsRequest | undefined;
}

/** The files of TLS, and who named them. */
export interface TlsRequest {
  readonly files: { readonly ca: string; readonly cert?: string; readonly key?: string };
  readonly origins: { readonly [name in "ca" | "cert" | "key"]: string };
}

export type LogRequest =
  | (CommonOptions & { readonly command: "append"; readonly source: AppendSource })
  | (CommonOptions & { readonly command: "get"; readonly index: number })
  | (CommonOptions & { readonly command: "tail"; readonly from: number; readonly follow: boolean })
  | (CommonOptions & { readonly command: "status" })
  | (CommonOptions & { readonly command: "transfer"; readonly to: string })
  | (CommonOptions & { readonly command: "readonly"; readonly node: string; readonly readOnly: boolean });

export type AppendSource =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "stdin" };

/** What the command line asked for; a number when it only asked for help or was wrong: the exit code. */
export type ParsedLog = LogRequest | number;

const exitUsage = 64;
const timeoutMsMax = 24 * 3_600_000;

const closing = `
The nodes are found through --peers or the variable QUORUMLOG_PEERS; without either they are those of "npm start".

Exit codes: 0 done, 1 refused or not there, 10 status shows a group without a leader or a majority, 64 usage, 66 the
entry to append cannot be read, 69 no node can be reached, 70 a fault of its own, 74 the output cannot be written (an
append stands), 75 no answer in time or no majority (try again later), or the outcome of an append or transfer is
unknown, 78 bad configuration, 130 interrupted, 143 terminated.`;

/** `500ms`, `10s`, `2m`; a bare number counts milliseconds. */
export function durationMs(text: string): number {
  const match = /^(\d{1,9})(ms|s|m)?$/.exec(text);
  const scale = { ms: 1, s: 1_000, m: 60_000 }[match?.[2] ?? "ms"] ?? 1;
  const value = Number(match?.[1]) * scale;
  if (value >= 1 && value <= timeoutMsMax) return value;
  throw new InvalidArgumentError(
    "Allowed: a time from 1ms to 24h, as 500ms, 10s or 2m; a bare number counts milliseconds.",
  );
}

function indexOf(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("Allowed: a whole number from 0.");
}

function peersOf(text: string): string {
  if (parsePeers(text) !== undefined) return text;
  throw new InvalidArgumentError(`Allowed: ${peerListAllowed}.`);
}

function idOf(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._]{0,31}$/.test(text)) return text;
  throw new InvalidArgumentError("Allowed: the id of a node, as n1.");
}

function groupOf(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError("Allowed: the name of a group.");
}

interface Values {
  readonly peers: string;
  readonly group: string;
  readonly timeout: number;
  readonly json?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** Not the variables of a node (QUORUMLOG_TLS_CERT): a client that is given a node's certificate may do nothing. */
const tlsOptions = [
  {
    name: "ca",
    option: "tlsCa",
    env: "QUORUMLOG_CLIENT_CA",
    doc: "speak TLS, with nodes that these authorities signed",
  },
  {
    name: "cert",
    option: "tlsCert",
    env: "QUORUMLOG_CLIENT_CERT",
    doc: "this client's certificate, in PEM form",
  },
  { name: "key", option: "tlsKey", env: "QUORUMLOG_CLIENT_KEY", doc: "its private key, in PEM form" },
] as const;

/** A subcommand with the options that all of them share. */
function define(parent: Command, name: string, summary: string): Command {
  const command = parent
    .command(name)
    .description(summary)
    .addOption(
      new Option("--peers <list>", "the group's nodes")
        .default(defaultPeers)
        .env("QUORUMLOG_PEERS")
        .argParser(peersOf),
    )
    .addOption(
      new Option("--group <name>", "the Raft group")
        .default(defaultGroup)
        .env("QUORUMLOG_GROUP")
        .argParser(groupOf),
    )
    .addOption(
      new Option("--timeout <time>", "give up after this long")
        .default(10_000, "10s")
        .env("QUORUMLOG_TIMEOUT")
        .argParser(durationMs),
    )
    .option(
      "--json",
      "one JSON object on one line; a stream: one a line; a fault: the last line of standard error",
    );
  for (const { name: part, env, doc } of tlsOptions)
    command.addOption(new Option(`--tls-${part} <file>`, doc).env(env));
  return command;
}

/** @returns undefined for plain text. */
function tlsOf(values: Values, command: Command): TlsRequest | undefined {
  const { tlsCa: ca, tlsCert: cert, tlsKey: key } = values;
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if (ca === undefined)
    return command.error("error: --tls-ca FILE (or QUORUMLOG_CLIENT_CA) goes with --tls-cert and --tls-key");
  const origins = { ca: "", cert: "", key: "" };
  for (const { name, option, env } of tlsOptions)
    origins[name] = command.getOptionValueSource(option) === "env" ? `variable ${env}` : `flag --tls-${name}`;
  return {
    files: { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) },
    origins,
  };
}

/** Parses `quorumlog log ...`; help goes to stdout, what is wrong to stderr. */
export function parseLog(args: readonly string[]): ParsedLog {
  let parsed: LogRequest | undefined;
  const program = new Command("quorumlog log")
    .description("Append to the log and read it.")
    .addHelpText("after", closing);
  const common = (values: Values, command: Command): CommonOptions => ({
    peers: values.peers,
    group: values.group,
    timeoutMs: values.timeout,
    json: values.json ?? false,
    tls: tlsOf(values, command),
  });

  define(program, "append", "Append one entry; it is committed when the command ends.")
    .argument("[-]", "read the entry from standard input")
    .option("--data <text>", "the entry, as text")
    .option("--file <path>", "the entry, from a file")
    .action(
      (dash: string | undefined, values: Values & { data?: string; file?: string }, command: Command) => {
        parsed = { command: "append", source: sourceOf(dash, values, command), ...common(values, command) };
      },
    );
  define(program, "get", "Read one entry. Off a terminal its bytes are written as they are.")
    .requiredOption("--index <n>", "which one", indexOf)
    .action((values: Values & { index: number }, command: Command) => {
      parsed = { command: "get", index: values.index, ...common(values, command) };
    });
  define(program, "tail", "Read the committed entries from an index on.")
    .option("--from <n>", "the first index", indexOf, 0)
    .option("--follow", "go on with those to come")
    .action((values: Values & { from: number; follow?: boolean }, command: Command) => {
      parsed = {
        command: "tail",
        from: values.from,
        follow: values.follow ?? false,
        ...common(values, command),
      };
    });
  define(program, "status", "Show how each node sees itself.").action((values: Values, command: Command) => {
    parsed = { command: "status", ...common(values, command) };
  });
  define(program, "transfer", "Move leadership to a node.")
    .requiredOption("--to <id>", "the next leader", idOf)
    .action((values: Values & { to: string }, command: Command) => {
      parsed = { command: "transfer", to: values.to, ...common(values, command) };
    });
  define(program, "readonly", "Make a node take no appends, or take them again, until its process ends.")
    .requiredOption("--node <id>", "which one", idOf)
    .addArgument(new Argument("<state>", "whether it is read-only").choices(["on", "off"]))
    .action((state: "on" | "off", values: Values & { node: string }, command: Command) => {
      parsed = {
        command: "readonly",
        node: values.node,
        readOnly: state === "on",
        ...common(values, command),
      };
    });

  const code = runCommander(program, args);
  return code ?? parsed ?? exitUsage;
}

function sourceOf(
  dash: string | undefined,
  values: { data?: string; file?: string },
  command: Command,
): AppendSource {
  if (dash !== undefined && dash !== "-")
    command.error(`error: unexpected argument '${dash}'; text is given with --data`);
  const given: AppendSource[] = [];
  // The host has put U+FFFD in place of bytes that are no UTF-8, so that others than those given would be stored.
  if (values.data?.includes("\ufffd"))
    command.error("error: --data holds bytes that are no UTF-8 (or U+FFFD): give bytes with - or --file");
  if (values.data !== undefined) given.push({ kind: "text", text: values.data });
  if (values.file !== undefined) given.push({ kind: "file", path: values.file });
  if (dash === "-") given.push({ kind: "stdin" });
  const [source, another] = given;
  if (source === undefined || another !== undefined)
    return command.error("error: give exactly one of --data TEXT, --file PATH and - (standard input)");
  return source;
}

/** @returns the exit code when the command line ends here: help was asked for, or it is wrong. */
export function runCommander(program: Command, args: readonly string[]): number | undefined {
  const strict = (command: Command): void => {
    command.exitOverride().showHelpAfterError("(add --help for what is allowed)");
    for (const child of command.commands) strict(child);
  };
  strict(program);
  program.helpCommand(false);
  try {
    program.parse([...args], { from: "user" });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : exitUsage;
  }
}
