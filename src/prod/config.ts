import * as path from "node:path";
import { groupId, nodeId } from "../core/base/brand.ts";
import { LogError } from "../core/base/errors.ts";
import type { NodeConfig, NodeLimits, PeerAddress } from "../core/node/config.ts";
import { checkNodeConfig, defaultLimits } from "../core/node/config.ts";
import { isLoopback, splitAddress } from "./address.ts";
import { readConfigFile } from "./config-file.ts";
import type { ConfigKey } from "./config-keys.ts";
import { brokerKeys, configKeys } from "./config-keys.ts";
import type { ConfigValue } from "./config-schema.ts";
import { schemaOf } from "./config-schema.ts";
import { parsePeers } from "./peer-list.ts";
import { didYouMean } from "./suggest.ts";
import type { TlsMaterial, TlsOwner, TlsSetting } from "./tls-files.ts";
import { readTls } from "./tls-files.ts";
import { visible } from "./visible.ts";

/** Where settings come from; a later one wins: file, environment, flags. */
export interface ConfigSources {
  readonly file?: string | undefined;
  readonly environment: { readonly [name: string]: string | undefined };
  /** Values by key (`httpPort`), however the command line spells them. */
  readonly flags: { readonly [key: string]: string | undefined };
}

/** A key's effective value, and the file and line, variable or flag that set it. */
export interface Setting {
  readonly key: string;
  readonly value: string;
  readonly origin: string;
}

export interface ServerTls {
  readonly material: TlsMaterial;
  readonly clientAuth: boolean;
}

/** Everything a server process is told. */
export interface ServerConfig {
  readonly node: NodeConfig;
  readonly dataDirectory: string;
  /** Undefined: plain text. */
  readonly tls: ServerTls | undefined;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly logLevel: string;
  readonly stopTimeoutMs: number;
  readonly settings: readonly Setting[];
  readonly warnings: readonly string[];
}

const keysByName: ReadonlyMap<string, ConfigKey> = new Map(configKeys.map((row) => [row.key, row]));
const keysByEnv: ReadonlyMap<string, ConfigKey> = new Map(configKeys.map((row) => [row.env, row]));
/** Variables of the project's other programs. */
const otherEnv: ReadonlySet<string> = new Set([
  "QUORUMLOG_TIMEOUT",
  "QUORUMLOG_PEERS",
  "QUORUMLOG_CLIENT_CA",
  "QUORUMLOG_CLIENT_CERT",
  "QUORUMLOG_CLIENT_KEY",
]);

/** Garbage has many; a few show what it is. */
const strayLinesMax = 10;

/**
 * Reads and checks the configuration of one node.
 * @throws LogError bad-configuration, one line for each thing that is wrong: key, value, origin, what is allowed.
 */
export function loadConfig(sources: ConfigSources): ServerConfig {
  const problems: string[] = [];
  const warnings: string[] = [];
  const given = new Map<string, Setting>();
  const stray = sources.file === undefined ? [] : takeFile(sources.file, given, problems, warnings);
  takeEnvironment(sources.environment, given, warnings);
  takeFlags(sources.flags, given, problems);
  if (sources.environment["QUORUMLOG_PEERS"] !== undefined && !given.has("dLegerPeers"))
    warnings.push(
      "variable QUORUMLOG_PEERS is of clients and left out: voters stand in dLegerPeers or QUORUMLOG_VOTERS",
    );
  const values = new Values(given, problems);
  const config = assemble(values, given, warnings);
  // A line that was left out may be what is missing, as in a file of another encoding.
  if (problems.length > 0) throw new LogError("bad-configuration", [...problems, ...stray].join("\n"));
  checkNodeConfig(config.node);
  return config;
}

/** @returns the lines that set nothing, which are among the warnings too. */
function takeFile(
  file: string,
  given: Map<string, Setting>,
  problems: string[],
  warnings: string[],
): readonly string[] {
  const shown = path.relative(process.cwd(), file).startsWith("..")
    ? file
    : path.relative(process.cwd(), file);
  try {
    const { settings, stray } = readConfigFile(file, (key) => keysByName.has(key));
    const left = stray
      .slice(0, strayLinesMax)
      .map(({ line, text }) => `${shown}:${line} sets nothing and is left out: ${visible(text)}`);
    if (stray.length > left.length)
      left.push(`${shown}: ${stray.length - left.length} more lines set nothing`);
    warnings.push(...left);
    for (const { key, value, line } of settings) {
      const origin = `${shown}:${line}`;
      const before = given.get(key);
      if (keysByName.has(key)) {
        if (before !== undefined)
          warnings.push(`${key} is set twice, at ${before.origin} and ${origin}; the later one wins`);
        given.set(key, { key, value, origin });
      } else if (brokerKeys.has(key)) warnings.push(`${key} (${origin}) belongs to a broker and is left out`);
      else problems.push(`unknown key ${visible(key)} (${origin})${didYouMean(key, keysByName.keys())}`);
    }
    return left;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    problems.push(
      `cannot read the configuration ${shown}: ${code === "ENOENT" ? "there is no such file" : message}`,
    );
    return [];
  }
}

function takeEnvironment(
  environment: ConfigSources["environment"],
  given: Map<string, Setting>,
  warnings: string[],
): void {
  for (const name of Object.keys(environment).sort()) {
    const value = environment[name];
    if (!name.startsWith("QUORUMLOG_") || value === undefined) continue;
    const row = keysByEnv.get(name);
    // The variable may belong to a script around this program, so it is only pointed at.
    if (row !== undefined)
      given.set(row.key, { key: row.key, value: value.trim(), origin: `variable ${name}` });
    else if (!otherEnv.has(name))
      warnings.push(`unknown variable ${name}${didYouMean(name, keysByEnv.keys())}`);
  }
}

function takeFlags(flags: ConfigSources["flags"], given: Map<string, Setting>, problems: string[]): void {
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const row = keysByName.get(key);
    if (row === undefined) problems.push(`unknown key ${key} (flag)${didYouMean(key, keysByName.keys())}`);
    else given.set(key, { key, value: value.trim(), origin: `flag --${row.flag}` });
  }
}

/** Values checked against the table, each problem told once. */
class Values {
  private readonly given: ReadonlyMap<string, Setting>;
  private readonly problems: string[];

  constructor(given: ReadonlyMap<string, Setting>, problems: string[]) {
    this.given = given;
    this.problems = problems;
  }

  /** @returns undefined when it was not given and has no default, or is wrong (and was told). */
  get(key: string): ConfigValue | undefined {
    const row = keysByName.get(key);
    const text = this.given.get(key)?.value ?? row?.fallback;
    if (row === undefined || text === undefined) return undefined;
    const checked = schemaOf(row.rule).safeParse(text);
    if (checked.success) return checked.data;
    this.wrong(key, row.allowed);
    return undefined;
  }

  text(key: string): string | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : String(value);
  }

  number(key: string): number | undefined {
    const value = this.get(key);
    return typeof value === "number" ? value : undefined;
  }

  wrong(key: string, allowed: string): void {
    const setting = this.given.get(key);
    const value = setting?.value ?? keysByName.get(key)?.fallback ?? "";
    const problem = `${key} is ${JSON.stringify(value)} (${setting?.origin ?? "default"}); allowed: ${allowed}`;
    if (!this.problems.includes(problem)) this.problems.push(problem);
  }

  /** A problem that says itself what is wrong with which key. */
  told(problem: string): void {
    this.problems.push(problem);
  }

  /** A key that was given. */
  setting(key: string): Setting {
    return this.given.get(key) ?? { key, value: "", origin: "default" };
  }

  missing(key: string, since = ""): void {
    const row = keysByName.get(key);
    this.problems.push(
      `${key} is not set${since}; allowed: ${row?.allowed} (file, variable ${row?.env} or flag --${row?.flag})`,
    );
  }

  isGiven(key: string): boolean {
    return this.given.has(key);
  }
}

function assemble(values: Values, given: ReadonlyMap<string, Setting>, warnings: string[]): ServerConfig {
  const peers = parsePeers(values.text("dLegerPeers") ?? "") ?? [];
  const self = values.text("dLegerSelfId");
  if (self === undefined && !values.isGiven("dLegerSelfId")) values.missing("dLegerSelfId");
  checkPeers(values, peers, self);
  const own = peers.find((peer) => peer.node === self);
  const address = own === undefined ? { host: "127.0.0.1", port: 0 } : splitAddress(own.address);
  const httpPort = values.number("httpPort") ?? address.port + 1_000;
  const httpHost = values.text("httpHost") ?? "127.0.0.1";
  if (httpPort > 65_535) values.wrong("httpPort", "a whole number from 1 to 65535");
  if (httpPort === address.port) values.wrong("httpPort", "another port than the node's own in dLegerPeers");
  const tls = tlsOf(values, own && { node: own.node, host: address.host });
  if (!tlsKeys.some((key) => values.isGiven(key)))
    checkExposure(
      values,
      [
        ["dLegerPeers", address.host],
        ["httpHost", httpHost],
      ],
      warnings,
    );
  const limits = checkedLimits(values);
  const group = values.text("dLegerGroup");
  return {
    node: {
      self: nodeId(own?.node ?? "unknown"),
      processId: process.pid,
      listen: own?.address ?? "",
      groups: [
        {
          group: groupId(group ?? "unknown"),
          peers,
          directory: "g0",
          forceBootstrap: values.get("bootstrap") === true,
        },
      ],
      readOnly: values.get("readOnly") === true,
      limits,
    },
    tls,
    dataDirectory: values.text("storePathRootDir") ?? `data/${self}`,
    httpHost,
    httpPort,
    logLevel: values.text("logLevel") ?? "info",
    stopTimeoutMs: values.number("stopTimeoutMs") ?? 5_000,
    settings: configKeys.map(
      ({ key, fallback }) => given.get(key) ?? { key, value: fallback ?? "", origin: "default" },
    ),
    warnings,
  };
}

function checkPeers(values: Values, peers: readonly PeerAddress[], self: string | undefined): void {
  if (peers.length === 0) return;
  const ids = peers.map((peer) => peer.node as string);
  if (new Set(ids).size < ids.length) values.wrong("dLegerPeers", "each id once");
  else if (new Set(peers.map((peer) => peer.address)).size < ids.length)
    values.wrong("dLegerPeers", "each address once");
  else if (![1, 2, 3, 5, 7].includes(ids.length)) values.wrong("dLegerPeers", "1, 2, 3, 5 or 7 voters");
  if (self !== undefined && !ids.includes(self))
    values.wrong("dLegerSelfId", `one of the ids in dLegerPeers (${ids.join(", ")})`);
}

const tlsKeys = ["tlsCert", "tlsKey", "tlsCa"] as const;

/** All three of them, or none. What is wrong is told, and gives undefined. */
function tlsOf(values: Values, owner: TlsOwner | undefined): ServerTls | undefined {
  const clientAuth = values.get("tlsClientAuth") !== false;
  const given = tlsKeys.filter((key) => values.isGiven(key));
  if (given.length === 0) return undefined;
  const missing = tlsKeys.filter((key) => !values.isGiven(key));
  for (const key of missing) values.missing(key, `, since ${given.join(" and ")} is given`);
  const setting = (key: (typeof tlsKeys)[number]): TlsSetting => values.setting(key);
  const wrong = given.some((key) => values.get(key) === undefined);
  if (missing.length > 0 || wrong) return undefined;
  const settings = { ca: setting("tlsCa"), own: { cert: setting("tlsCert"), key: setting("tlsKey") } };
  try {
    return { material: readTls(settings, owner), clientAuth };
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    values.told(error.message);
    return undefined;
  }
}

/** Without TLS nothing is encrypted or authenticated, so only this machine may talk to a node unless somebody says so. */
function checkExposure(
  values: Values,
  hosts: readonly (readonly [string, string])[],
  warnings: string[],
): void {
  const insecure = values.get("allowInsecure") === true;
  for (const [key, host] of hosts) {
    if (isLoopback(host)) continue;
    if (insecure)
      warnings.push(
        `${host} (${key}) is reachable without encryption or authentication: allowInsecure is true`,
      );
    else
      values.wrong(
        key,
        "an address of this machine only, or any with TLS (tlsCert, tlsKey, tlsCa) or allowInsecure=true",
      );
  }
}

/** Limits that must fit together: which one, below which, and in what ratio. */
const fits: readonly (readonly [low: string, high: string, ratio: number])[] = [
  ["heartBeatTimeIntervalMs", "electionTimeoutMsMin", 2],
  ["electionTimeoutMsMin", "electionTimeoutMsMax", 1],
  ["reconnectDelayMsMin", "reconnectDelayMsMax", 1],
  ["reserveBytes", "segmentBytes", 2],
  // What an elected leader held before its no-op must fit into every follower's reserve.
  ["uncommittedBytesMax", "reserveBytes", 2],
];

function checkedLimits(values: Values): NodeLimits {
  const limits: { -readonly [name in keyof NodeLimits]: number } = { ...defaultLimits };
  for (const { key, limit } of configKeys) {
    const value = limit === undefined ? undefined : values.number(key);
    if (limit !== undefined && value !== undefined) limits[limit.name] = value * limit.scale;
  }
  for (const [low, high, ratio] of fits) {
    const [below, above] = [values.number(low), values.number(high)];
    if (below === undefined || above === undefined || below * ratio <= above) continue;
    const share = ratio === 1 ? "at most" : "at most half of";
    values.wrong(low, `${share} ${high}, which is ${above}`);
  }
  return limits;
}
