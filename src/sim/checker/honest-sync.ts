import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { SyncEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** A record as a disk holds it. */
export interface RecordOnDisk {
  readonly term: number;
  /** Nothing of it waits for a sync, or for a cut that goes through it. */
  readonly settled: boolean;
}

/** A node's log as its disk holds it. */
export interface LogOnDisk {
  /** Something is left of what the last cut took away. */
  readonly isUncut: boolean;
  /** The record that was asked for; undefined when there is none that can be read. */
  readonly record: RecordOnDisk | undefined;
}

/** The disks themselves, which no word of a node's own changes. */
export interface SyncedRecords {
  look(node: NodeId, group: GroupId, index: number): LogOnDisk;
}

/** To look at a disk is dear: behind a cut so many syncs are looked at, and one in `oneOf` of the others. */
const behindCut = 4;
const oneOf = 128;

/**
 * What a node calls synced stands on its disk, as the entry that its log has there by now, and waits for no sync: entries
 * that are about to be cut may be synced, but those that take their indexes are not yet.
 * Source: Raft figure 2, persistent state; a flush position that was not moved back by a cut, as in an early DLedger.
 */
export class HonestSync implements Checker {
  readonly name = "honest-sync";
  readonly kinds: readonly TraceKind[] = ["sync", "truncate", "fault"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly disks: SyncedRecords;
  /** How many syncs of a member are to be looked at still. */
  private readonly wanted = new Map<Member, number>();
  /** Nodes whose disk the world has harmed: what is missing there is no lie. */
  private readonly harmed = new Set<NodeId | "">();
  private syncs = 0;

  constructor(report: Report, model: ClusterModel, disks: SyncedRecords) {
    this.report = report;
    this.model = model;
    this.disks = disks;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "truncate") this.wanted.set(this.model.of(event), behindCut);
    else if (event.kind === "sync") this.onSync(event);
    else if (event.kind === "fault" && harms.has(event.fault)) this.harmed.add(event.node);
  }

  private onSync(event: SyncEvent): void {
    const member = this.model.of(event);
    const left = this.wanted.get(member) ?? 0;
    this.syncs += 1;
    if (left > 0) this.wanted.set(member, left - 1);
    else if (this.syncs % oneOf !== 0) return;
    if (this.harmed.has(event.node)) return;
    const index = Math.min(event.index, member.lastIndex);
    if (index < 0) return;
    const { isUncut, record } = this.disks.look(event.node, event.group, index);
    if (isUncut) {
      this.fail(
        `${event.node} goes on behind a cut of ${event.group}, and some of what was cut is on its disk still`,
        `It calls index ${index} synced, which it writes only once the cut is done.`,
      );
    } else if (record?.settled !== true || record.term !== member.termAt(index)) {
      const told = record === undefined ? "none" : `one of term ${record.term}`;
      this.fail(
        `${event.node} calls index ${index} of ${event.group} synced, and its disk does not hold it so`,
        `Its log has an entry of term ${member.termAt(index)} there, the disk ${told}${record?.settled === false ? ", not synced" : ""}.`,
      );
    }
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}

const harms: ReadonlySet<string> = new Set([
  "damage",
  "data-loss",
  "lost-sync",
  "stale-read",
  "wipe",
  "io-failed",
]);
