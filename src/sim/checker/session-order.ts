import type { GroupId } from "../../core/base/brand.ts";
import type { Entry } from "../../core/base/entry.ts";
import { sequenceOf, sessionOf } from "../../core/base/entry.ts";
import type { SessionEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import { simulatedLimits } from "../core-node.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

const nobody: readonly number[] = [];
/** What the format allows: `sessionsMax` in docs/CONFIGURATION.md. */
const mostSessions = 1_000_000;

/** How many sessions the entry that opens one leaves open, read from its record's bytes, without core's help. */
function limitOf({ block, offset }: Entry): number {
  const record = new DataView(block.buffer, block.byteOffset + offset);
  const bodyBytes = record.getUint32(44);
  // Records without a number are those of earlier builds: the node's own limit, of which hand-made logs have one only.
  if (bodyBytes === 0) return simulatedLimits.sessionsMax;
  return bodyBytes === 4 ? Math.max(1, Math.min(record.getUint32(48), mostSessions)) : mostSessions;
}

/** The sessions of one group as its applied log makes them. */
class Sessions {
  /** Last sequence by session, the one used least recently in front. */
  private readonly live = new Map<number, number>();
  private applied = -1;
  /** By the index of the entry that opens a session: those that it evicts. */
  private readonly evictions = new Map<number, readonly number[]>();

  /** @returns what is wrong with the entry; "" when nothing is, or when it was judged before. */
  take(entry: Entry): string {
    if (entry.index !== this.applied + 1) return "";
    this.applied = entry.index;
    if (entry.kind === "session") this.open(entry.index, limitOf(entry));
    const session = entry.kind === "data" ? sessionOf(entry) : 0;
    if (session === 0) return "";
    const last = this.live.get(session);
    const sequence = sequenceOf(entry);
    if (last === undefined) return `belongs to session ${session}, which is not open there`;
    if (sequence !== last + 1)
      return `is sequence ${sequence} of session ${session}, behind sequence ${last}`;
    this.live.delete(session);
    this.live.set(session, sequence);
    return "";
  }

  private open(index: number, most: number): void {
    this.live.set(index, 0);
    const evicted = [...this.live.keys()].slice(0, Math.max(0, this.live.size - most));
    for (const session of evicted) this.live.delete(session);
    this.evictions.set(index, evicted);
  }

  evictedBy(index: number): readonly number[] {
    return this.evictions.get(index) ?? nobody;
  }
}

/**
 * The sessions are a function of the log: an entry of a session stands there only as the next of a live one, and a session
 * is evicted only by the opening of one too many, the one that was used least recently. How many are too many stands in the
 * entry, whatever a node's own configuration says.
 * Source: dissertation §6.3, "all servers must agree on when to expire a client's session".
 */
export class SessionOrder implements Checker {
  readonly name = "session-order";
  readonly kinds: readonly TraceKind[] = ["session", "apply", "recovered"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly groups = new Map<GroupId, Sessions>();
  /** What a member told of its sessions since it last told what it applied. */
  private readonly told = new Map<Member, SessionEvent[]>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
    for (const { group } of model.groups) this.groups.set(group, new Sessions());
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "fault") return;
    const member = this.model.of(event);
    if (event.kind === "session") {
      const told = this.told.get(member);
      if (told === undefined) this.told.set(member, [event]);
      else told.push(event);
    } else if (event.kind === "recovered") this.told.delete(member);
    else if (event.kind === "apply") this.onApply(member, event.entries);
  }

  private onApply(member: Member, entries: readonly Entry[]): void {
    const sessions = this.groups.get(member.group.group) as Sessions;
    const expected: string[] = [];
    for (const entry of entries) {
      const flaw = sessions.take(entry);
      if (flaw !== "") this.fail(member, `applied index ${entry.index}, which ${flaw},`, "");
      if (entry.kind !== "session") continue;
      expected.push(`opened ${entry.index}`);
      for (const evicted of sessions.evictedBy(entry.index)) expected.push(`evicted ${evicted}`);
    }
    const told = (this.told.get(member) ?? []).map(({ change, session }) => `${change} ${session}`);
    this.told.delete(member);
    if (told.join() === expected.join()) return;
    this.fail(
      member,
      "has other sessions than its log makes",
      `It told: ${told.join(", ") || "nothing"}; the log up to ${entries[entries.length - 1]?.index} makes: ${expected.join(", ") || "nothing"}.`,
    );
  }

  private fail({ node, group }: Member, deed: string, explanation: string): void {
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${node} ${deed} in ${group.group}`,
      explanation,
    });
  }
}
