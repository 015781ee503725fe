import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { Entry } from "../../core/base/entry.ts";
import type { Micros } from "../../core/base/units.ts";
import type {
  DamageEvent,
  RecoveredEvent,
  Role,
  Standing,
  TraceEvent,
  TraceKind,
} from "../../core/io/trace.ts";
import type { Checker, Topology } from "./checker.ts";
import { EntryTable } from "./entry-table.ts";

/** Drops what was noted of the members of one node: its life is over. */
export function forgetNode(
  noted: { keys(): Iterable<Member>; delete(member: Member): boolean },
  node: NodeId | "",
): void {
  for (const member of noted.keys()) if (member.node === node) noted.delete(member);
}

/** What the trace tells of one node in one group. Indexes are -1 before the first entry. */
export class Member {
  readonly node: NodeId;
  readonly group: GroupModel;
  standing: Standing = "wiped";
  role: Role = "follower";
  /** Whom it follows, as its last role event told; "" for nobody. */
  leader: NodeId | "" = "";
  /** When its last role event came. */
  roleSince: Micros = 0;
  /** When it last vouched for its log, as every heartbeat of its leader makes it do. */
  matchedAt: Micros = Number.NEGATIVE_INFINITY;
  /** The term of the node's last role event or recovery. */
  term = 0;
  /** The log, by index, as the node last described it. */
  readonly terms: number[] = [];
  readonly chainCrcs: number[] = [];
  /** Everything up to here is durable, as far as the node's disk said. */
  syncedIndex = -1;
  /** What the node told anyone that it holds durably, less what was cut since: the entry's index and term. */
  assertedIndex = -1;
  assertedTerm = 0;
  /** Within this life of the process. */
  commitIndex = -1;
  /** Whether the last append event began right behind the log and had no gap. */
  appendFits = true;
  /** What was asserted before the last recovery, and so must have come back from the disk. */
  owedIndex = -1;
  owedTerm = 0;
  /** Whether the world took from the disk what nothing can tell to be missing, so that nothing was owed at the last recovery. */
  excused = false;
  /** Whether the directory was emptied in this run: what the node holds and says counts for nobody any more. */
  wiped = false;
  /** Terms of what it had vouched for when it was emptied: acknowledgements that may be on their way, or counted already. */
  private promised: readonly number[] = [];
  private diskHurt = false;
  /** Where a damaged range begins, by its last index: nobody knows what the records in it are but from the leader. */
  private readonly damaged = new Map<number, number>();

  constructor(node: NodeId, group: GroupModel) {
    this.node = node;
    this.group = group;
  }

  get lastIndex(): number {
    return this.terms.length - 1;
  }

  /** @returns the term of the entry at `index`: 0 before the first, -1 beyond the end. */
  termAt(index: number): number {
    return index < 0 ? 0 : (this.terms[index] ?? -1);
  }

  chainCrcAt(index: number): number {
    return index < 0 ? 0 : (this.chainCrcs[index] ?? -1);
  }

  holds(index: number, term: number): boolean {
    return index < 0 || this.terms[index] === term;
  }

  /** The node vouches for its log up to `index`. */
  assertUpTo(claimed: number): void {
    const index = Math.min(claimed, this.lastIndex);
    if (index <= this.assertedIndex) return;
    this.assertedIndex = index;
    this.assertedTerm = this.termAt(index);
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // A gap or an overlap is for the log-matching checker to tell; the model keeps its arrays dense.
      this.appendFits = entry.index === this.terms.length;
      if (!this.appendFits) return;
      if (this.damaged.size > 0) this.settleDamaged(entry);
      this.group.entries.note(entry.index, entry.term, entry.chainCrc, this.termAt(entry.index - 1));
      this.terms.push(entry.term);
      this.chainCrcs.push(entry.chainCrc);
    }
  }

  cut(from: number): void {
    if (from < 0 || from >= this.terms.length) return;
    this.cutDamage(from);
    this.terms.length = from;
    this.chainCrcs.length = from;
    this.forgetBehind(from - 1);
  }

  /** What the node found damaged, or mended: from its front up to there. What is cut goes with the records. */
  noteDamage({ change, from, to }: DamageEvent): void {
    if (change === "found") this.damaged.set(to, from);
    else if (change === "mended") {
      // Copies are synced where they are put: what a leader put in place of damaged records is on the disk from now on.
      if (from <= this.syncedIndex + 1)
        this.syncedIndex = Math.max(this.syncedIndex, Math.min(to, this.lastIndex));
      for (const [last, first] of [...this.damaged]) {
        if (first > to || last < from) continue;
        this.damaged.delete(last);
        if (last > to) this.damaged.set(last, to + 1);
      }
    }
  }

  private cutDamage(from: number): void {
    for (const [last, first] of [...this.damaged]) {
      if (last < from) continue;
      this.damaged.delete(last);
      if (first < from) this.damaged.set(from - 1, first);
    }
  }

  /**
   * The node cut its log within damage and goes on with what its leader sent: the damaged records before that may have been other
   * ones than the leader's, which the cut went through, and the leader's take their place. What the node had vouched for there
   * is cut like what it cut by its name.
   */
  private settleDamaged({ index, term }: Entry): void {
    const { entries } = this.group;
    let at = index - 1;
    let before = entries.previousTermAt(index, term);
    while (before > 0 && this.terms[at] !== before && this.isDamaged(at)) {
      this.terms[at] = before;
      this.chainCrcs[at] = entries.chainCrcAt(at, before);
      before = entries.previousTermAt(at, before);
      at -= 1;
    }
    this.forgetBehind(at);
  }

  /** The node need not hold any more what it synced and vouched for behind `last`. */
  private forgetBehind(last: number): void {
    this.syncedIndex = Math.min(this.syncedIndex, last);
    if (this.assertedIndex <= last) return;
    this.assertedIndex = last;
    this.assertedTerm = this.termAt(last);
  }

  private isDamaged(index: number): boolean {
    for (const [last, first] of this.damaged) if (first <= index && index <= last) return true;
    return false;
  }

  hurtDisk(): void {
    this.diskHurt = true;
  }

  wipe(): void {
    if (!this.wiped) this.promised = this.terms.slice(0, this.assertedIndex + 1);
    this.wiped = true;
  }

  /** Whether the member may count as a holder of the entry: it has synced it, or had vouched for it before it was emptied. */
  countsFor(index: number, term: number): boolean {
    if (this.wiped) return this.promised[index] === term;
    return this.syncedIndex >= index && this.terms[index] === term;
  }

  /** A new life: the log is what the disk gave back, which may be an older one whose cut was not durable. */
  recover(event: RecoveredEvent): void {
    this.standing = event.standing;
    this.role = "follower";
    this.leader = "";
    this.matchedAt = Number.NEGATIVE_INFINITY;
    this.term = event.term;
    this.commitIndex = -1;
    this.damaged.clear();
    this.settleDebt();
    const { entries } = this.group;
    const found: number[] = [];
    let index = event.lastIndex;
    let term = event.lastTerm;
    while (index >= 0 && this.terms[index] !== term && term >= 0) {
      found.push(term);
      term = entries.previousTermAt(index, term);
      index -= 1;
    }
    this.terms.length = Math.min(this.terms.length, index + 1);
    this.chainCrcs.length = this.terms.length;
    for (let at = this.terms.length; at <= event.lastIndex; at++) {
      const termHere = found[event.lastIndex - at] ?? -1;
      this.terms.push(termHere);
      this.chainCrcs.push(entries.chainCrcAt(at, termHere));
    }
    this.syncedIndex = event.lastIndex;
  }

  private settleDebt(): void {
    this.excused = this.diskHurt;
    this.diskHurt = false;
    if (this.excused) {
      this.assertedIndex = -1;
      this.assertedTerm = 0;
    }
    this.owedIndex = this.assertedIndex;
    this.owedTerm = this.assertedTerm;
  }
}

/** What the trace tells of one group. */
export class GroupModel {
  readonly group: GroupId;
  readonly entries: EntryTable = new EntryTable();
  readonly members: readonly Member[];
  /** The smallest number of members of which any two sets share one. */
  readonly majority: number;
  private readonly byNode = new Map<NodeId, Member>();

  constructor(group: GroupId, nodes: readonly NodeId[]) {
    this.group = group;
    this.members = nodes.map((node) => new Member(node, this));
    this.majority = Math.floor(nodes.length / 2) + 1;
    for (const member of this.members) this.byNode.set(member.node, member);
  }

  member(node: NodeId): Member {
    const member = this.byNode.get(node);
    if (member === undefined)
      throw new RangeError(`the trace names ${node}, which is no voter of ${this.group}`);
    return member;
  }
}

type MemberEvent = Exclude<TraceEvent, { readonly kind: "fault" }>;

/**
 * Faults after which a node may truthfully have forgotten what it held. Damage is none: a later batch proves what is
 * missing, so where the log ends, in which term, and what was voted come back all the same.
 */
const losses: ReadonlySet<string> = new Set(["wipe", "data-loss", "lost-sync"]);

/**
 * The cluster as its trace describes it. It stands first among the checkers and judges nothing: when a property
 * checker is handed an event, the model already holds what the event changed.
 */
export class ClusterModel implements Checker {
  readonly name = "model";
  readonly kinds: readonly TraceKind[] = [
    "recovered",
    "role",
    "append",
    "truncate",
    "sync",
    "match",
    "commit",
    "standing",
    "damage",
    "fault",
  ];
  readonly groups: readonly GroupModel[];
  private readonly byId = new Map<GroupId, GroupModel>();
  private last: Member | undefined;

  constructor(topology: Topology) {
    this.groups = topology.groups.map((group) => new GroupModel(group, topology.nodes));
    for (const group of this.groups) this.byId.set(group.group, group);
  }

  group(id: GroupId): GroupModel {
    const group = this.byId.get(id);
    if (group === undefined)
      throw new RangeError(`the trace names the group ${id}, which is not in the topology`);
    return group;
  }

  /** The member that an event is about. Neighbouring events are mostly about one member. */
  of(event: MemberEvent): Member {
    const last = this.last;
    if (last !== undefined && last.node === event.node && last.group.group === event.group) return last;
    const member = this.group(event.group).member(event.node);
    this.last = member;
    return member;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    switch (event.kind) {
      case "append":
        this.of(event).append(event.entries);
        break;
      case "sync": {
        const member = this.of(event);
        member.syncedIndex = Math.max(member.syncedIndex, Math.min(event.index, member.lastIndex));
        member.assertUpTo(event.index);
        break;
      }
      case "match": {
        const member = this.of(event);
        member.assertUpTo(event.index);
        member.matchedAt = at;
        break;
      }
      case "commit": {
        const member = this.of(event);
        member.commitIndex = Math.max(member.commitIndex, event.index);
        break;
      }
      case "truncate":
        this.of(event).cut(event.from);
        break;
      case "role": {
        const member = this.of(event);
        member.role = event.role;
        member.leader = event.leader;
        member.roleSince = at;
        member.term = event.term;
        break;
      }
      case "recovered":
        this.of(event).recover(event);
        break;
      case "standing":
        this.of(event).standing = event.standing;
        break;
      case "damage":
        this.of(event).noteDamage(event);
        break;
      case "fault":
        if (losses.has(event.fault)) this.excuse(event.node, event.fault === "wipe");
        break;
      default:
        break;
    }
  }

  private excuse(node: NodeId | "", wiped: boolean): void {
    for (const group of this.groups) {
      for (const member of group.members) {
        if (member.node !== node) continue;
        member.hurtDisk();
        if (wiped) member.wipe();
      }
    }
  }
}
