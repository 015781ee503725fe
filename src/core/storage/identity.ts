import type { GroupId, NodeId } from "../base/brand.ts";
import { groupId, nodeId } from "../base/brand.ts";
import { crc32c } from "../base/crc32c.ts";
import { LogError } from "../base/errors.ts";
import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import type { Disk, DiskFile } from "../io/disk.ts";
import { formatVersion } from "./format.ts";
import { wholeOr } from "./whole.ts";

/** How far a directory has come in the life of its group; `core/node/bootstrap.ts` has the rules. */
export type Stage = "empty" | "adopted" | "active" | "wiped";
export const stages: readonly Stage[] = ["empty", "adopted", "active", "wiped"];

/** Whose directory this is. Kept as a small text file that a person can read, with a checksum. */
export interface Identity {
  readonly formatVersion: number;
  /** 32 hex digits; empty until the group is bootstrapped. */
  readonly cluster: string;
  readonly group: GroupId;
  readonly node: NodeId;
  /** 16 hex digits, random for each directory. It never changes: every checksum of the log is seeded with it. */
  readonly incarnation: string;
  readonly voters: readonly NodeId[];
  readonly stage: Stage;
}

export const identityName = "identity";
const temporaryName = "identity.tmp";
const identityBytesMax = 65_536;
const firstLine = "quorumlog directory";

export function encodeIdentity(identity: Identity): Uint8Array {
  const text = [
    firstLine,
    `formatVersion=${identity.formatVersion}`,
    `cluster=${identity.cluster}`,
    `group=${identity.group}`,
    `node=${identity.node}`,
    `incarnation=${identity.incarnation}`,
    `voters=${identity.voters.join(",")}`,
    `stage=${identity.stage}`,
    "",
  ].join("\n");
  const crc = crc32c(new TextEncoder().encode(text)).toString(16).padStart(8, "0");
  return new TextEncoder().encode(`${text}crc32c=${crc}\n`);
}

/** @throws LogError damaged when the text is not whole, wrong-version when it is of a later format. */
export function decodeIdentity(bytes: Uint8Array): Identity {
  const text = new TextDecoder().decode(bytes);
  const sum = /crc32c=([0-9a-f]{8})\n$/.exec(text);
  const body = sum === null ? "" : text.slice(0, sum.index);
  if (sum?.[1] !== crc32c(new TextEncoder().encode(body)).toString(16).padStart(8, "0")) {
    throw new LogError("damaged", "the identity file does not match its checksum", { retry: "never" });
  }
  const [first, ...lines] = body.split("\n");
  const fields = new Map<string, string>();
  for (const line of lines) {
    const equals = line.indexOf("=");
    if (equals > 0) fields.set(line.slice(0, equals), line.slice(equals + 1));
  }
  const field = (name: string): string => fields.get(name) ?? "";
  if (first !== firstLine || field("formatVersion") !== String(formatVersion)) {
    throw new LogError(
      "wrong-version",
      `an identity file of format version ${field("formatVersion")}, where ${formatVersion} is read`,
    );
  }
  const voters = field("voters");
  const stage = stages.find((one) => one === field("stage"));
  if (stage === undefined)
    throw new LogError("damaged", "the identity file names no known stage", { retry: "never" });
  return wholeOr("the identity file", () => ({
    formatVersion,
    cluster: field("cluster"),
    group: groupId(field("group")),
    node: nodeId(field("node")),
    incarnation: field("incarnation"),
    voters: voters === "" ? [] : voters.split(",").map(nodeId),
    stage,
  }));
}

/** Writes the file so that a crash leaves the old one or the new one. */
export function* writeIdentity(disk: Disk, directory: string, identity: Identity): Task<void> {
  yield* replaceFile(disk, directory, identityName, temporaryName, encodeIdentity(identity));
}

export function* readIdentity(disk: Disk, directory: string): Task<Identity> {
  const file = yield* wait<DiskFile>((done) => disk.open(`${directory}/${identityName}`, "existing", done));
  const bytes = yield* wait<Uint8Array>((done) => file.read(0, identityBytesMax, done));
  yield* wait<void>((done) => file.close(done));
  return decodeIdentity(bytes);
}

/** Puts a whole small file in place: written beside, synced, renamed, and the directory synced. */
export function* replaceFile(
  disk: Disk,
  directory: string,
  name: string,
  temporary: string,
  bytes: Uint8Array,
): Task<void> {
  const names = yield* wait<readonly string[]>((done) => disk.list(directory, done));
  if (names.includes(temporary)) yield* wait<void>((done) => disk.remove(`${directory}/${temporary}`, done));
  const file = yield* wait<DiskFile>((done) => disk.open(`${directory}/${temporary}`, "new", done));
  yield* wait<void>((done) => file.write(0, [bytes], done));
  yield* wait<void>((done) => file.sync(done));
  yield* wait<void>((done) => file.close(done));
  yield* wait<void>((done) => disk.rename(`${directory}/${temporary}`, `${directory}/${name}`, done));
  yield* wait<void>((done) => disk.syncDirectory(directory, done));
}

/** @throws LogError wrong-directory, naming both, when the directory belongs to somebody else. */
export function checkIdentity(
  found: Identity,
  asked: {
    readonly cluster: string;
    readonly group: GroupId;
    readonly node: NodeId;
    readonly voters: readonly NodeId[] | undefined;
    readonly directory: string;
  },
): void {
  const refuse = (what: string, has: string, wants: string): never => {
    throw new LogError(
      "wrong-directory",
      `directory ${asked.directory} belongs to ${what} ${has}, not to ${what} ${wants}`,
    );
  };
  if (found.group !== asked.group) refuse("group", found.group, asked.group);
  if (found.node !== asked.node) refuse("node", found.node, asked.node);
  if (asked.cluster !== "" && found.cluster !== "" && found.cluster !== asked.cluster) {
    refuse("cluster", found.cluster, asked.cluster);
  }
  // Two lists of voters have majorities that do not meet. Before the group is made nothing was promised to anyone.
  const { voters } = asked;
  if (voters !== undefined && found.stage !== "empty" && found.voters.join() !== voters.join()) {
    const kept = "; a group keeps the voters that it was made with: name exactly those as its peers";
    refuse("a group of the voters", found.voters.join(", "), `${voters.join(", ")}${kept}`);
  }
}
