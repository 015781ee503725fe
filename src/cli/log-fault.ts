import { LogError } from "../core/base/errors.ts";
import { exitCodes } from "../prod/exit-codes.ts";
import { parsePeers } from "../prod/peer-list.ts";
import { visible } from "../prod/visible.ts";
import type { InputError } from "./entry-source.ts";
import type { LogRequest } from "./log-options.ts";
import { meant } from "./suggest.ts";

/** What failed, why, and what to do: a line each. */
export function faultText(request: LogRequest, error: LogError): string {
  // A message may be what some server said.
  const lines = error.message.split("\n").map(visible);
  const text = [`quorumlog log ${request.command}: ${error.code}`, ...lines, advice(request, error)].join(
    "\n  ",
  );
  return `${text}\n${request.json ? errorJson(error) : ""}`;
}

interface Told {
  /** One of LogError's, or `unreadable-input`. */
  readonly code: LogError["code"] | "unreadable-input";
  readonly retry: LogError["retry"];
  readonly message: string;
}

/** For programs, after what people read: one line, the last of standard error. */
export function errorJson({ code, retry, message }: Told): string {
  // An escape of a character means the same within JSON.
  return `${visible(JSON.stringify({ error: { code, retry, message } }))}\n`;
}

/** The same for an entry that cannot be read. */
export function inputFaultText(error: InputError, json: boolean): string {
  const fault = { code: "unreadable-input", retry: "never", message: error.message } as const;
  return `quorumlog log append: cannot read the entry\n  ${error.message}\n  Nothing was appended. Give the entry with --file PATH, --data TEXT, or - for standard input.\n${json ? errorJson(fault) : ""}`;
}

export function faultExitCode(error: LogError): number {
  if (error.code === "unavailable" || (error.code === "timeout" && causeOf(error) === "unavailable"))
    return exitCodes.unavailable;
  if (error.code === "bad-configuration") return exitCodes.configuration;
  return error.retry === "never" ? exitCodes.failed : exitCodes.temporary;
}

function causeOf({ cause }: LogError): string | undefined {
  return cause instanceof LogError ? cause.code : undefined;
}

function advice(request: LogRequest, error: LogError): string {
  if (error.code === "outcome-unknown")
    return request.command === "transfer"
      ? "The outcome is unknown: leadership may have moved, or may move yet. Look who leads with `quorumlog log status` before you try again."
      : "The outcome is unknown: the entry may be in the log or may not. Look with `quorumlog log tail` before you append it again.";
  if (faultExitCode(error) === exitCodes.unavailable && request.command === "readonly")
    return `Node ${request.node} cannot be reached: is it running, and is --peers right? Nothing was changed.`;
  if (faultExitCode(error) === exitCodes.unavailable)
    return `No node of ${request.peers} can be reached: are they running (npm start), and is --peers right?`;
  if (error.code === "internal-entry")
    return "That entry is the log's own (a new term or a session); clients see only their entries.";
  const named = request.command === "transfer" ? request.to : request.command === "readonly" && request.node;
  if (error.code === "unknown-node" && typeof named === "string") {
    const nodes = (parsePeers(request.peers) ?? []).map(({ node }) => node);
    return `Nothing was changed.${meant(named, nodes)}`;
  }
  if (error.code === "not-authorised")
    return "Nothing was changed. What a client may do stands in its certificate: --tls-ca, --tls-cert, --tls-key (`quorumlog certs` makes them).";
  if (error.code === "read-only")
    return "Nothing was changed. Look with `quorumlog log status` which nodes are read-only; `quorumlog log readonly --node ID off` makes one take appends.";
  if (error.code === "index-out-of-range" && request.command === "get")
    return `The log ends before it, and may come to have it: \`quorumlog log tail --from ${request.index} --follow\` waits for that.`;
  if (error.retry === "never") return "The same command will fail again.";
  const unchanged =
    request.command === "transfer"
      ? // A leader that gave a transfer up may have asked the node to campaign already.
        "Look who leads with `quorumlog log status`"
      : "Nothing was changed";
  if (causeOf(error) === "no-quorum")
    return `${unchanged}; see with \`quorumlog log status\` which nodes do not answer, start them again, and try again.`;
  if (error.code === "timeout")
    return `${unchanged}; try again, or wait longer with --timeout (it was ${request.timeoutMs}ms).`;
  return `${unchanged}; try again.`;
}
