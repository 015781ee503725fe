import { exitCodes } from "../prod/exit-codes.ts";
import { LogClient, LogError } from "../prod/index.ts";
import { parsePeers } from "../prod/peer-list.ts";
import type { StopSignal } from "../prod/stop-signals.ts";
import { onStopSignal, stopExitCodes } from "../prod/stop-signals.ts";
import { readTls } from "../prod/tls-files.ts";
import { settingsOf } from "../prod/tls-options.ts";
import { visible } from "../prod/visible.ts";
import { InputError, readSource } from "./entry-source.ts";
import { faultExitCode, faultText, inputFaultText } from "./log-fault.ts";
import type { AppendSource, LogRequest, TlsRequest } from "./log-options.ts";
import { parseLog } from "./log-options.ts";
import type { StatusReport, StatusRow } from "./log-output.ts";
import { dataFields, entryJson, entryLine, statusTable, unreachableRow } from "./log-output.ts";

/** `quorumlog log ...`. @returns the exit code. */
export async function logCommand(args: readonly string[]): Promise<number> {
  const request = parseLog(args);
  if (typeof request === "number") return request;
  const abort = new AbortController();
  let interrupted: number | undefined;
  const reading: Reading = { source: undefined };
  onStopSignal((signal, again) => {
    if (reading.source === "file") leaveBy(signal);
    if (reading.source !== undefined || again) process.exit(stopExitCodes[signal]);
    interrupted = stopExitCodes[signal];
    abort.abort(signal);
  });
  try {
    return await carryOut(request, abort.signal, reading);
  } catch (error) {
    if (interrupted !== undefined) {
      if (error instanceof LogError && error.code === "outcome-unknown") tell(faultText(request, error));
      return interrupted;
    }
    if (error instanceof InputError) {
      tell(inputFaultText(error, request.json));
      return exitCodes.noInput;
    }
    if (!(error instanceof LogError)) throw error;
    tell(faultText(request, error));
    return faultExitCode(error);
  }
}

/**
 * Ends the process by the signal itself, which a shell shows as the same exit code. `process.exit` waits for the threads
 * of Node.js, and one that opens or reads a named pipe may wait for ever.
 */
function leaveBy(name: StopSignal): void {
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}

async function carryOut(request: LogRequest, signal: AbortSignal, reading: Reading): Promise<number> {
  const { peers, group, timeoutMs, tls } = request;
  // One append has nothing to retry under: without a session it needs one round trip less.
  const options = { peers, group, timeoutMs, name: "quorumlog log", sessions: false };
  if (tls !== undefined) checkTls(tls);
  const client = new LogClient(tls === undefined ? options : { ...options, tls: tls.files });
  try {
    switch (request.command) {
      case "append":
        return await append(client, request, signal, reading);
      case "get":
        return await get(client, request, signal);
      case "tail":
        return await tail(client, request, signal);
      case "status":
        return await status(client, request, signal);
      case "transfer":
        return await transfer(client, request, signal);
      case "readonly":
        return await setReadOnly(client, request, signal);
      default:
        return request satisfies never;
    }
  } finally {
    await client.close();
  }
}

/** @throws LogError bad-configuration, in the words of the command line. */
function checkTls({ files, origins }: TlsRequest): void {
  readTls(settingsOf(files, (name) => ({ key: `--tls-${name}`, origin: origins[name] })));
}

/** The input that the command still waits for: nothing was sent, so there is nothing to end in order. */
interface Reading {
  source: AppendSource["kind"] | undefined;
}

type Of<Command extends LogRequest["command"]> = Extract<LogRequest, { command: Command }>;

async function append(
  client: LogClient,
  { source, json }: Of<"append">,
  signal: AbortSignal,
  reading: Reading,
): Promise<number> {
  reading.source = source.kind;
  const entry = await readSource(source);
  reading.source = undefined;
  const { index, term } = await client.append(entry, { signal });
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
    if ("error" in answer) return unreachableRow(answer.id, answer.error.message);
    const { id, role, commitIndex, lastIndex, chainCrc, readOnly, intake, pid, standing } = answer;
    // Behind the whole group, not only behind what the node itself knows to be committed.
    const lag = highest - (commitIndex - answer.lag);
    const seen = {
      id,
      role,
      term: answer.term,
      commitIndex,
      lastIndex,
      chainCrc,
      lag,
      readOnly,
      intake,
      pid,
    };
    return standing === "member" ? seen : { ...seen, standing };
  });
  const report: StatusReport = { group, leader, nodes: rows };
  const refused = answers.find((answer) => "error" in answer && answer.error.code === "unknown-group");
  if (refused !== undefined && "error" in refused) throw refused.error;
  const errors = answers.flatMap((answer) => ("error" in answer ? [answer.error] : []));
  if (errors.length === nodes.length) throw nobodyAnswers(nodes, errors, options.timeoutMs);
  print(json ? JSON.stringify(report) : statusTable(report));
  return isHealthy(report) ? exitCodes.ok : exitCodes.unhealthy;
}

/** Whether somebody leads and a majority answers: for scripts, which read the exit code. */
function isHealthy({ leader, nodes }: StatusReport): boolean {
  const answering = nodes.filter(({ role }) => role !== "unreachable");
  // The dead leader of a moment ago is still named by those who have not missed it yet.
  const led = leader !== null && !nodes.some(({ id, role }) => id === leader && role === "unreachable");
  return led && answering.length * 2 > nodes.length;
}

/** Why no status came: nobody can be reached, or time ran out before that was known. */
function nobodyAnswers(nodes: readonly string[], errors: readonly LogError[], timeoutMs: number): LogError {
  const late = errors.find(({ code }) => code !== "unavailable");
  const who = nodes.join(", ");
  if (late === undefined)
    return new LogError("unavailable", `none of ${who} can be reached: ${errors[0]?.message}`);
  if (late.code !== "timeout") return late;
  return new LogError("timeout", `none of ${who} answered within ${timeoutMs}ms`);
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

async function setReadOnly(
  client: LogClient,
  { node, readOnly, json }: Of<"readonly">,
  signal: AbortSignal,
): Promise<number> {
  await client.setReadOnly(node, readOnly, { signal });
  const said = readOnly ? "takes no appends now, until its process ends" : "takes appends again";
  print(json ? JSON.stringify({ node, readOnly }) : `${node} ${said}`);
  return exitCodes.ok;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Obeys a slow reader. */
function write(data: string | Uint8Array): Promise<void> {
  if (process.stdout.write(data)) return Promise.resolve();
  return new Promise((resolve) => process.stdout.once("drain", resolve));
}

function tell(text: string): void {
  process.stderr.write(text);
}
