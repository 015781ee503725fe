import type { GroupId, NodeId } from "../core/base/brand.ts";
import { getU64 } from "../core/base/bytes.ts";
import type { LogOnDisk, RecordOnDisk, SyncedRecords } from "./checker/honest-sync.ts";
import type { DiskWorld } from "./disk.ts";
import { LogMap, recordsOf } from "./log-map.ts";

/** What is synced just now, or was cut, lies in these. */
const lastSegments = 2;

/** Where a record's term stands, from its beginning. */
const termOffset = 16;

/** What the simulated disks hold and would keep, whatever the nodes say of it. */
export class DiskTruth implements SyncedRecords {
  private readonly diskOf: (node: NodeId) => DiskWorld;

  constructor(diskOf: (node: NodeId) => DiskWorld) {
    this.diskOf = diskOf;
  }

  look(node: NodeId, group: GroupId, index: number): LogOnDisk {
    const map = LogMap.of(this.diskOf(node).tree, group, lastSegments);
    return { isUncut: map?.isUncut === true, record: map === undefined ? undefined : recordOn(map, index) };
  }
}

function recordOn(map: LogMap, index: number): RecordOnDisk | undefined {
  const frame = map.frames.findLast(
    ({ header }) => header.previous.index < index && index <= header.previous.index + header.count,
  );
  if (frame === undefined) return undefined;
  const record = recordsOf(frame).find((one) => one.index === index);
  if (record === undefined) return undefined;
  const term = getU64(frame.file.read(record.from, record.to - record.from), termOffset);
  return { term, settled: map.isSettled(frame) };
}
