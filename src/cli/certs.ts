import { Command, InvalidArgumentError, Option } from "commander";
import { LogError } from "../core/base/errors.ts";
import { isHost, splitAddress } from "../prod/address.ts";
import type { ClientCredential, Credential } from "../prod/credentials.ts";
import { clientNameFault, makeCredentials } from "../prod/credentials.ts";
import { defaultPeers } from "../prod/defaults.ts";
import { exitCodeOf, exitCodes } from "../prod/exit-codes.ts";
import { checkedPeers, parsePeers, peerListAllowed } from "../prod/peer-list.ts";
import type { Action } from "../prod/tls-identity.ts";
import { actions } from "../prod/tls-identity.ts";
import { errorJson } from "./log-fault.ts";
import { runCommander } from "./log-options.ts";
import { table } from "./log-output.ts";

const daysMax = 3_650;
const usualClients: readonly ClientCredential[] = [
  { name: "reader", role: "read" },
  { name: "writer", role: "append" },
  { name: "admin", role: "admin" },
];

const closing = `
Makes an authority (ca.pem, ca-key.pem), a certificate and a key for each node (n0.pem, n0-key.pem) and for each client
(client-reader.pem, ...). What is there already stays, so that the same command with another --client adds one; where it
says something else than what is asked for (another role, another host), nothing is made and the exit code is 78. With
--renew certificates are made anew by the same authority. ca-key.pem signs whatever one gives it: keep it elsewhere.

A role includes those before it: read, append, admin (moves leadership, makes nodes read-only).

Exit codes: 0 made, 64 usage, 74 the output cannot be written, 78 the directory cannot be used, or
what is in it says something else.`;

interface Values {
  readonly out: string;
  readonly peers: string;
  readonly client?: readonly ClientCredential[];
  readonly host?: readonly string[];
  readonly days: number;
  readonly renew?: boolean;
  readonly json?: boolean;
}

/** `quorumlog certs`. @returns the exit code. */
export async function certsCommand(args: readonly string[]): Promise<number> {
  const program = new Command("quorumlog certs")
    .description("Make the keys and certificates of a cluster and its clients.")
    .requiredOption("--out <directory>", "where the files go")
    .addOption(
      new Option("--peers <list>", "the nodes, and the hosts that others dial")
        .default(defaultPeers)
        .env("QUORUMLOG_PEERS")
        .argParser(peersOf),
    )
    .option(
      "--client <name=role>",
      "a client (several may be given); default reader, writer, admin",
      clientOf,
    )
    .option("--host <name>", "another name or address of every node (several may be given)", hostOf)
    .option("--days <n>", "how long certificates are good", daysOf, 825)
    .option("--renew", "make them anew, by the same authority")
    .option("--json", "one JSON object on one line")
    .addHelpText("after", closing);
  const code = runCommander(program, args);
  if (code !== undefined) return code;
  const { out, peers, client, host, days, renew = false, json = false } = program.opts<Values>();
  try {
    const clients = client ?? usualClients;
    const made = makeCredentials({
      directory: out,
      peers: checkedPeers(peers),
      clients,
      hosts: host ?? [],
      days,
      renew,
    });
    process.stdout.write(json ? `${JSON.stringify({ credentials: made })}\n` : report(made));
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const text = `quorumlog certs: ${error.code}\n${error.message.replace(/^/gm, "  ")}\n`;
    process.stderr.write(json ? text + errorJson(error) : text);
    return exitCodeOf(error);
  }
}

function report(made: readonly Credential[]): string {
  const rows = made.map((one) => [one.name, one.role, one.certificate, one.key, one.made ? "made" : "kept"]);
  const [authority] = made;
  const node = made.find(({ role }) => role === "node");
  const client = made.find(({ role }) => role !== "node" && role !== "authority");
  const lines = [table(["name", "role", "certificate", "key", ""], rows)];
  if (node !== undefined)
    lines.push(
      `\nIn the configuration of ${node.name}:\n  tlsCa=${authority?.certificate}\n  tlsCert=${node.certificate}\n  tlsKey=${node.key}`,
    );
  if (client !== undefined)
    lines.push(
      `For a client:\n  quorumlog log status --tls-ca ${authority?.certificate} --tls-cert ${client.certificate} --tls-key ${client.key}`,
    );
  return `${lines.join("\n")}\n`;
}

function peersOf(text: string): string {
  const peers = parsePeers(text);
  if (peers === undefined) throw new InvalidArgumentError(`Allowed: ${peerListAllowed}.`);
  const twice = peers.find(({ node }, at) => peers.findIndex((one) => one.node === node) < at);
  if (twice !== undefined) throw new InvalidArgumentError(`${twice.node} is given twice.`);
  for (const { address } of peers) checkHost(splitAddress(address).host);
  return text;
}

function clientOf(text: string, before: readonly ClientCredential[] = []): readonly ClientCredential[] {
  const [, name = "", role = ""] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62})=(\w+)$/.exec(text) ?? [];
  if (name === "" || !actions.includes(role as Action))
    throw new InvalidArgumentError(
      `Allowed: a name of letters, digits, '.', '_' or '-', '=', and one of ${actions.join(", ")}.`,
    );
  if (before.some((one) => one.name === name)) throw new InvalidArgumentError(`${name} is given twice.`);
  const fault = clientNameFault(name);
  if (fault !== undefined) throw new InvalidArgumentError(`${fault}.`);
  return [...before, { name, role: role as Action }];
}

function hostOf(text: string, before: readonly string[] = []): readonly string[] {
  checkHost(text);
  return [...before, text];
}

function checkHost(host: string): void {
  if (!isHost(host)) throw new InvalidArgumentError(`${host} is neither a host name nor an address.`);
}

function daysOf(text: string): number {
  const days = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= daysMax) return days;
  throw new InvalidArgumentError(`Allowed: a whole number from 1 to ${daysMax}.`);
}
