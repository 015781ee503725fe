import type { GroupId } from "../../core/base/brand.ts";
import type { Entry } from "../../core/base/entry.ts";
import { sequenceOf, sessionOf } from "../../core/base/entry.ts";
import type { SessionEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import { simulatedLimits } from "../core-node.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** The sessions of one group as its applied log makes them. */
class Sessions {
  /** Last sequence by session, the one used least recently in front. */
  private readonly live = new Map<number, number>();
  private applied = -1;
  /** By the index of the entry that opens a session: the one that it evicts; 0 for none. */
  private readonly evictions = new Map<number, number>();

  /** @returns what is wrong with the entry; "" when nothing is, or when it was judged before. */
  take(entry: Entry): string {
    if (entry.index !== this.applied + 1) return "";
    this.applied = entry.index;
    if (entry.kind === "session") this.open(entry.index);
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

  private open(index: number): void {
    this.live.set(index, 0);
    const [oldest] = this.live.keys();
    const full = this.live.size > simulatedLimits.sessionsMax && oldest !== undefined;
    if (full) this.live.delete(oldest);
    this.evictions.set(index, full ? oldest : 0);
  }

  evictedBy(index: number): number {
    return this.evictions.get(index) ?? 0;
  }
}

/**
 * The sessions are a function of the log: an entry of a session stands there only as the next of a live one, and a session
 * is evicted only by the opening of one too many, the one that was used least recently.
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
      const evicted = sessions.evictedBy(entry.index);
      if (evicted !== 0) expected.push(`evicted ${evicted}`);
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
