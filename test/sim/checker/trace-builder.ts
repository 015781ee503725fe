import type { GroupId, NodeId } from "#core/base/brand";
import { groupId, nodeId } from "#core/base/brand";
import type { Entry, EntryContent, LogEnd } from "#core/base/entry";
import { emptyLogEnd, encodeEntries, endOf } from "#core/base/entry";
import type { Micros } from "#core/base/units";
import type { Role, Standing, TraceEvent } from "#core/io/trace";
import type { Checkers } from "#sim/checker/all";
import { allCheckers } from "#sim/checker/all";
import type { Checker, EndOfRun, Violation } from "#sim/checker/checker";
import type { SyncedRecords } from "#sim/checker/honest-sync";
import { encodePayload } from "#sim/history/payload";

export const group: GroupId = groupId("g0");
/** Of which nothing is told but what a test emits. */
export const otherGroup: GroupId = groupId("g1");
export const nodes: readonly NodeId[] = ["n0", "n1", "n2", "n3", "n4"].map(nodeId);

/** Entries of one term behind `end`, with one payload for each key. */
export function dataEntries(end: LogEnd, term: number, keys: readonly number[]): Entry[] {
  const contents = keys.map(
    (key): EntryContent => ({ kind: "data", body: encodePayload(key, 16), session: 0, sequence: 0 }),
  );
  return encodeEntries(end, term, contents);
}

export function noOp(end: LogEnd, term: number): Entry[] {
  return encodeEntries(end, term, [{ kind: "no-op", body: new Uint8Array(0), session: 0, sequence: 0 }]);
}

export function lastOf(entries: readonly Entry[]): LogEnd {
  const last = entries[entries.length - 1];
  return last === undefined ? emptyLogEnd : endOf(last);
}

/** A trace written by hand, handed to all checkers event by event as the simulator does. */
export class Trace {
  readonly checkers: Checkers;
  private readonly judges: readonly Checker[];
  violation: Violation | undefined;
  private at: Micros = 0;

  /**
   * @param campaigns whether the campaigns are told, and judged; most traces leave them out.
   * @param disks what the disks hold; left out, nobody looks at them.
   */
  constructor(size = 3, campaigns = false, disks?: SyncedRecords, groups: readonly GroupId[] = [group]) {
    const report = {
      fail: (violation: Violation) => {
        this.violation ??= violation;
      },
    };
    this.checkers = allCheckers(report, { nodes: nodes.slice(0, size), groups }, disks);
    this.judges = this.checkers.all.filter(({ name }) => campaigns || name !== "lawful-campaign");
  }

  /** Time goes by in which nothing happens. */
  wait(time: Micros): this {
    this.at += time;
    return this;
  }

  /** The broken property, or "none". */
  get verdict(): string {
    return this.violation?.checker ?? "none";
  }

  emit(...events: readonly TraceEvent[]): this {
    for (const event of events) {
      this.at += 1_000;
      for (const checker of this.judges)
        if (checker.kinds.includes(event.kind)) checker.onEvent(event, this.at);
    }
    return this;
  }

  end(end: EndOfRun): this {
    for (const checker of this.checkers.all) checker.atEnd?.(end);
    return this;
  }

  /** A vote whose term and candidate are synced first. */
  lawfulVote(voter: number, term: number, candidate: number): this {
    return this.hardState(voter, term, candidate).vote(voter, term, candidate);
  }

  vote(voter: number, term: number, candidate: number): this {
    return this.emit({ kind: "vote", ...at(voter), term, candidate: nodeOf(candidate) });
  }

  hardState(node: number, term: number, votedFor: number | ""): this {
    return this.emit({
      kind: "hard-state",
      ...at(node),
      term,
      votedFor: votedFor === "" ? "" : nodeOf(votedFor),
    });
  }

  role(node: number, term: number, role: Role, reason = "test"): this {
    const lastIndex = this.checkers.model.group(group).member(nodeOf(node)).lastIndex;
    return this.emit({ kind: "role", ...at(node), term, role, leader: "", lastIndex, reason });
  }

  /** A lawful campaign in `term`: first the question, then the term. */
  campaign(node: number, term: number): this {
    return this.role(node, term - 1, "pre-candidate").role(node, term, "candidate");
  }

  /** A lawful election: the voters' votes and the leader's role. */
  elect(leader: number, term: number, voters: readonly number[]): this {
    for (const voter of voters) this.lawfulVote(voter, term, leader);
    return this.role(leader, term, "leader");
  }

  append(node: number, term: number, entries: readonly Entry[]): this {
    return this.emit({ kind: "append", ...at(node), term, entries });
  }

  truncate(node: number, from: number): this {
    return this.emit({ kind: "truncate", ...at(node), from });
  }

  sync(node: number, index: number): this {
    return this.emit({ kind: "sync", ...at(node), index });
  }

  match(node: number, term: number, index: number): this {
    return this.emit({ kind: "match", ...at(node), term, index });
  }

  /** Appends on several nodes, all synced. */
  replicate(on: readonly number[], term: number, entries: readonly Entry[]): this {
    const last = entries[entries.length - 1];
    for (const node of on) this.append(node, term, entries).sync(node, last?.index ?? -1);
    return this;
  }

  commit(node: number, term: number, index: number, leader: boolean): this {
    return this.emit({ kind: "commit", ...at(node), term, index, leader });
  }

  transfer(node: number, term: number, to: number, change: "begun" | "sent" | "done" | "failed"): this {
    return this.emit({ kind: "transfer", ...at(node), term, to: nodeOf(to), change });
  }

  session(node: number, session: number, change: "opened" | "evicted"): this {
    return this.emit({ kind: "session", ...at(node), session, change });
  }

  apply(node: number, entries: readonly Entry[]): this {
    return this.emit({ kind: "apply", ...at(node), entries });
  }

  recovered(
    node: number,
    end: LogEnd,
    hard: { readonly term: number; readonly votedFor: number | "" },
    standing: Standing = "member",
  ): this {
    return this.emit({
      kind: "recovered",
      ...at(node),
      standing,
      term: hard.term,
      votedFor: hard.votedFor === "" ? "" : nodeOf(hard.votedFor),
      lastIndex: end.index,
      lastTerm: end.term,
      chainCrc: end.chainCrc,
      tornBytes: 0,
    });
  }

  fault(node: number, fault: string, detail = ""): this {
    return this.emit({ kind: "fault", node: nodeOf(node), fault, detail });
  }

  standing(node: number, standing: Standing, reason = "test"): this {
    return this.emit({ kind: "standing", ...at(node), standing, reason });
  }

  damage(node: number, from: number, to: number, change: "found" | "mended" = "found"): this {
    return this.emit({ kind: "damage", ...at(node), from, to, change });
  }
}

export function nodeOf(number: number): NodeId {
  return nodes[number] as NodeId;
}

function at(node: number): { readonly node: NodeId; readonly group: GroupId } {
  return { node: nodeOf(node), group };
}
