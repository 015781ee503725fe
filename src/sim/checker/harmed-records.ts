import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type {
  DamageEvent,
  FaultEvent,
  RecoveredEvent,
  SyncEvent,
  TraceEvent,
  TraceKind,
} from "../../core/io/trace.ts";
import type { Checker } from "./checker.ts";

/** `g0 12..15 sector`: the group and the records that a harmed disk cannot give any more. */
const harmPattern = /^(\S+) (\d+)\.\.(\d+) /;

/** A reading takes no longer, also on a slow disk: of what is harmed and found within that time the header may have been read before. */
const readingMax: Micros = second;

interface Range {
  readonly from: number;
  readonly to: number;
  /** The node has said that it cannot read them; what is harmed anew after that is not mended with them. */
  readonly found: boolean;
  /** Of an earlier life: what the node finds when it comes up again is the harm, or what took its place. */
  readonly former: boolean;
  /** A read gave what was there before, or what is elsewhere; the disk itself holds what it should. */
  readonly passing: boolean;
  /** Since when the disk has not what it should. */
  readonly since: Micros;
  /** It struck in the middle of the reading that found it: what had been read by then is harmed too, and not known to be. */
  readonly halfSeen: boolean;
  /** What was seen of it is mended; the rest shows when it is read anew. */
  readonly halfMended: boolean;
}

/** Which records the world really took from each node. It judges nothing: excuses are looked up here. */
export class HarmedRecords implements Checker {
  readonly name = "harmed-records";
  readonly kinds: readonly TraceKind[] = ["fault", "damage", "truncate", "sync", "recovered"];
  private readonly harmed = new Map<string, Range[]>();
  /** Damage that a node has found in this life and not yet mended. */
  private readonly open = new Map<string, readonly { readonly from: number; readonly to: number }[]>();
  /** Cuts that may still be undone by a crash, by node and group. */
  private readonly cuts = new Map<string, number>();
  /** Nodes that have read something stale since they last came up. */
  private readonly misled = new Set<string>();
  /** Nodes that have not read their log since they last came up. */
  private readonly starting = new Set<string>();
  /** Nodes of which anything may be missing. */
  private readonly lost = new Set<string>();

  onEvent(event: TraceEvent, at: Micros): void {
    switch (event.kind) {
      case "fault":
        this.note(event, at);
        break;
      case "damage":
        if (event.change === "mended") this.mended(event);
        else if (event.change === "found") this.found(event, at);
        break;
      case "truncate": {
        const key = `${event.node}/${event.group}`;
        if (this.harmed.has(key)) this.cuts.set(key, Math.min(event.from, this.cuts.get(key) ?? event.from));
        break;
      }
      case "sync":
        if (this.cuts.size > 0) this.synced(event);
        break;
      case "recovered":
        this.starting.delete(event.node);
        // The cut may not have reached the disk.
        this.cuts.delete(`${event.node}/${event.group}`);
        this.open.delete(`${event.node}/${event.group}`);
        if (event.standing === "member") this.whole(event);
        break;
      default:
        break;
    }
  }

  /** What replaces the cut records is synced, so the cut is. */
  private synced({ node, group, index }: SyncEvent): void {
    const key = `${node}/${group}`;
    const from = this.cuts.get(key);
    if (from === undefined || index < from) return;
    this.cuts.delete(key);
    const left = this.of(node, group).filter((range) => range.from < from);
    this.harmed.set(
      key,
      left.map((range) => ({ ...range, to: Math.min(range.to, from - 1) })),
    );
  }

  private restarted(node: NodeId | ""): void {
    this.misled.delete(node);
    this.starting.add(node);
    for (const [key, ranges] of this.harmed) {
      if (key.startsWith(`${node}/`))
        this.harmed.set(
          key,
          ranges.map((range) => ({ ...range, former: true })),
        );
    }
  }

  /**
   * A node that found damage, and was stopped before it could tell that it mended it, comes up again and could read all: from
   * now on it vouches for that, so it is mended.
   */
  private whole({ node, group }: RecoveredEvent): void {
    if (this.misled.has(node)) return;
    const left = this.of(node, group).filter((range) => !range.halfMended && (!range.found || !range.former));
    this.harmed.set(`${node}/${group}`, left);
  }

  private note({ node, fault, detail }: FaultEvent, at: Micros): void {
    if (fault === "data-loss" || fault === "lost-sync" || fault === "wipe") this.lost.add(node);
    else if (fault === "stale-read") this.misled.add(node);
    else if (fault === "restart") this.restarted(node);
    if (fault !== "damage") return;
    const match = harmPattern.exec(detail);
    if (match === null) return;
    const group = match[1] as GroupId;
    const passing = detail.endsWith("stale read") || detail.endsWith("misdirected read");
    const told = { from: Number(match[2]), to: Number(match[3]) };
    const where = this.withOpen(`${node}/${group}`, told);
    // No reading is under way where a process only begins.
    const since = this.starting.has(node) ? Number.NEGATIVE_INFINITY : at;
    const unseen = { found: false, former: false, halfSeen: false, halfMended: false };
    const range = { ...where, ...unseen, passing, since };
    this.harmed.set(`${node}/${group}`, [...this.of(node, group), range]);
  }

  /**
   * Copies stand in other batches than the records that they take the place of: what is harmed where damage is being mended may
   * take all of it along.
   */
  private withOpen(
    key: string,
    told: { readonly from: number; readonly to: number },
  ): { from: number; to: number } {
    let { from, to } = told;
    for (const damage of this.open.get(key) ?? []) {
      if (damage.from > to || damage.to < from) continue;
      from = Math.min(from, damage.from);
      to = Math.max(to, damage.to);
    }
    return { from, to };
  }

  private found({ node, group, from, to }: DamageEvent, at: Micros): void {
    const key = `${node}/${group}`;
    this.open.set(key, [...(this.open.get(key) ?? []), { from, to }]);
    const ranges = this.of(node, group);
    if (ranges.length === 0) return;
    const touched = (range: Range): boolean => range.from <= to && range.to >= from;
    const found = (range: Range): Range => {
      return {
        ...range,
        found: true,
        halfSeen: !range.former && !range.passing && at - range.since <= readingMax,
      };
    };
    this.harmed.set(
      `${node}/${group}`,
      ranges.map((range) => (touched(range) ? found(range) : range)),
    );
  }

  /**
   * A harm is mended with all of its records, since only then its batch is whole. A node that read something stale, or just before
   * the harm, may have seen a good header where the disk holds a bad one: it mends the records alone, and finds the header
   * when it reads that anew.
   */
  private mended({ node, group, from, to }: DamageEvent): void {
    const key = `${node}/${group}`;
    const open = (this.open.get(key) ?? []).map((damage) =>
      damage.from >= from && damage.from <= to ? { from: to + 1, to: damage.to } : damage,
    );
    this.open.set(
      key,
      open.filter((damage) => damage.from <= damage.to),
    );
    const remains = (range: Range): boolean => !range.passing && this.misled.has(node);
    const left = this.of(node, group).flatMap((range) => {
      if (!range.found || range.from < from || range.to > to || remains(range)) return [range];
      return range.halfSeen && !range.halfMended ? [{ ...range, halfMended: true }] : [];
    });
    this.harmed.set(`${node}/${group}`, left);
  }

  private of(node: NodeId | "", group: GroupId): readonly Range[] {
    return this.harmed.get(`${node}/${group}`) ?? [];
  }

  /** Whether anything at all may be missing on the node: its directory was emptied, or bits flipped where nothing tells. */
  mayLackAnything(node: NodeId): boolean {
    return this.lost.has(node);
  }

  /** Whether the world harmed every record of a range and nobody has mended it since. */
  covers(node: NodeId, group: GroupId, from: number, to: number): boolean {
    if (this.lost.has(node)) return true;
    const ranges = this.of(node, group);
    for (let index = from; index <= to; index++) {
      if (!ranges.some((range) => range.from <= index && index <= range.to)) return false;
    }
    return true;
  }

  /** Whether any record of the node's log is harmed. */
  any(node: NodeId, group: GroupId): boolean {
    return this.lost.has(node) || this.of(node, group).length > 0;
  }
}
