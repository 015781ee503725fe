import * as fs from "node:fs";
import { entryBodyBytesMax } from "../core/base/entry.ts";
import { exitCodes } from "../prod/exit-codes.ts";
import { LogClient, LogError } from "../prod/index.ts";
import { parsePeers } from "../prod/peer-list.ts";
import type { AppendSource, LogRequest } from "./log-options.ts";
import { parseLog } from "./log-options.ts";
import type { StatusReport, StatusRow } from "./log-output.ts";
import { dataFields, entryJson, entryLine, statusTable, visible } from "./log-output.ts";

const signals = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated } as const;

/** `quorumlog log ...`. @returns the exit code. */
export async function logCommand(args: readonly string[]): Promise<number> {
  const request = parseLog(args);
  if (typeof request === "number") return request;
  const abort = new AbortController();
  let interrupted: number | undefined;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (interrupted !== undefined) process.exit(interrupted);
      interrupted = signals[name];
      abort.abort(name);
    });
  }
  // Whoever reads our output may stop reading: `quorumlog log tail | head` is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? 0 : exitCodes.internal),
  );
  try {
    return await carryOut(request, abort.signal);
  } catch (error) {
    if (interrupted !== undefined) {
      if (request.command === "append" && error instanceof LogError && error.code === "outcome-unknown")
        tell(request, error);
      return interrupted;
    }
    if (!(error instanceof LogError)) throw error;
    tell(request, error);
    return exitCodeOf(error);
  }
}

async function carryOut(request: LogRequest, signal: AbortSignal): Promise<number> {
  const { peers, group, timeoutMs } = request;
  // One append has nothing to retry under: without a session it needs one round trip less.
  const client = new LogClient({ peers, group, timeoutMs, name: "quorumlog log", sessions: false });
  try {
    switch (request.command) {
      case "append":
        return await append(client, request, signal);
      case "get":
        return await get(client, request, signal);
      case "tail":
        return await tail(client, request, signal);
      case "status":
        return await status(client, request, signal);
      case "transfer":
        return await transfer(client, request, signal);
      default:
        return request satisfies never;
    }
  } finally {
    await client.close();
  }
}

type Of<Command extends LogRequest["command"]> = Extract<LogRequest, { command: Command }>;

async function append(
  client: LogClient,
  { source, json }: Of<"append">,
  signal: AbortSignal,
): Promise<number> {
  const { index, term } = await client.append(await readSource(source), { signal });
  print(json ? JSON.stringify({ index, term }) : `appended at index ${index}, term ${term}`);
  return exitCodes.ok;
}

async function get(client: LogClient, { index, json }: Of<"get">, signal: AbortSignal): Promise<number> {
  const entry = await client.get(index, { signal });
  if (json) print(entryJson(entry));
  else if (process.stdout.isTTY) {
    const { data, encoding } = dataFields(entry.data);
    print(encoding === undefined ? visible(data) : `base64:${data}`);
  } else await write(entry.data);
  return exitCodes.ok;
}

async function tail(
  client: LogClient,
  { from, follow, json }: Of<"tail">,
  signal: AbortSignal,
): Promise<number> {
  // A tail goes on through any outage; one that has nobody to begin with is a mistake.
  if (follow) await client.readIndex({ signal });
  for await (const entry of client.tail({ from, follow, signal })) {
    await write(`${json ? entryJson(entry) : entryLine(entry)}\n`);
  }
  return exitCodes.ok;
}

async function status(
  client: LogClient,
  { peers, group, json, timeoutMs }: Of<"status">,
  signal: AbortSignal,
): Promise<number> {
  const nodes = (parsePeers(peers) ?? []).map(({ node }) => node);
  // A node that is stopped in the middle of an answer should not hide the others for the whole timeout.
  const options = { signal, timeoutMs: Math.min(timeoutMs, 3_000) };
  const answers = await Promise.all(
    nodes.map((node) => client.status(node, options).catch((error: LogError) => ({ id: node, error }))),
  );
  let highest = -1;
  let leader: string | null = null;
  let term = -1;
  for (const answer of answers) {
    if ("error" in answer) continue;
    highest = Math.max(highest, answer.commitIndex);
    if (answer.leader === "" || answer.term < term) continue;
    ({ leader, term } = answer);
  }
  const rows = answers.map((answer): StatusRow => {
    if ("error" in answer) return { id: answer.id, role: "unreachable", error: answer.error.message };
    const { id, role, commitIndex, lastIndex, chainCrc, readOnly, pid, standing } = answer;
    // Behind the whole group, not only behind what the node itself knows to be committed.
    const lag = highest - (commitIndex - answer.lag);
    const seen = { id, role, term: answer.term, commitIndex, lastIndex, chainCrc, lag, readOnly, pid };
    return standing === "member" ? seen : { ...seen, standing };
  });
  const report: StatusReport = { group, leader, nodes: rows };
  const refused = answers.find((answer) => "error" in answer && answer.error.code === "unknown-group");
  if (refused !== undefined && "error" in refused) throw refused.error;
  if (rows.every((row) => row.role === "unreachable")) {
    const [first] = answers;
    const why = first !== undefined && "error" in first ? first.error.message : "";
    throw new LogError("unavailable", `none of ${nodes.join(", ")} can be reached: ${why}`);
  }
  print(json ? JSON.stringify(report) : statusTable(report));
  return exitCodes.ok;
}

async function transfer(
  client: LogClient,
  { to, json }: Of<"transfer">,
  signal: AbortSignal,
): Promise<number> {
  await client.transfer(to, { signal });
  print(json ? JSON.stringify({ leader: to }) : `${to} leads now`);
  return exitCodes.ok;
}

async function readSource(source: AppendSource): Promise<Uint8Array | string> {
  if (source.kind === "text") return source.text;
  const stream: NodeJS.ReadableStream =
    source.kind === "stdin" ? process.stdin : fs.createReadStream(source.path);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      const part = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      bytes += part.length;
      // Read no further than it takes to know: the input may be endless.
      if (bytes > entryBodyBytesMax) {
        throw new LogError(
          "entry-too-large",
          `the entry has more than ${entryBodyBytesMax} bytes, the limit`,
        );
      }
      chunks.push(part);
    }
  } catch (error) {
    if (error instanceof LogError) throw error;
    throw new LogError("cancelled", `cannot read the entry: ${(error as Error).message}`, { cause: error });
  }
  return Buffer.concat(chunks);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Obeys a slow reader. */
function write(data: string | Uint8Array): Promise<void> {
  if (process.stdout.write(data)) return Promise.resolve();
  return new Promise((resolve) => process.stdout.once("drain", resolve));
}

/** What failed, why, and what to do. */
function tell(request: LogRequest, error: LogError): void {
  const lines = [
    `quorumlog log ${request.command}: ${error.code}`,
    `  ${error.message}`,
    `  ${advice(request, error)}`,
  ];
  process.stderr.write(`${lines.join("\n")}\n`);
}

function advice(request: LogRequest, error: LogError): string {
  if (error.code === "outcome-unknown")
    return "The outcome is unknown: the entry may be in the log or may not. Look with `quorumlog log tail` before you append it again.";
  if (exitCodeOf(error) === exitCodes.unavailable)
    return `No node of ${request.peers} can be reached: are they running (npm start), and is --peers right?`;
  if (error.code === "internal-entry")
    return "That entry is the log's own (a new term or a session); clients see only their entries.";
  if (error.retry === "never") return "The same command will fail again.";
  return "Nothing was changed; try again.";
}

function exitCodeOf(error: LogError): number {
  const cause = error.cause instanceof LogError ? error.cause.code : undefined;
  if (error.code === "unavailable" || (error.code === "timeout" && cause === "unavailable"))
    return exitCodes.unavailable;
  if (error.code === "bad-configuration") return exitCodes.configuration;
  return error.retry === "never" ? exitCodes.failed : exitCodes.temporary;
}
