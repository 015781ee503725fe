import type { Micros } from "../../core/base/units.ts";
import type {
  AppendEvent,
  CommitEvent,
  DamageEvent,
  MatchEvent,
  TraceEvent,
  TraceKind,
  VoteEvent,
} from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

interface Known {
  /** Records that the node knows to be unreadable. */
  readonly damaged: Set<number>;
  /** The term that the node was in when it learned so; a vote that it gave before may still leave. */
  term: number;
  /** A new life has given no vote before. */
  atStart: boolean;
  /** When it learned so. It steps down in the same turn. */
  readonly since: Micros;
}

/**
 * A node that knows of damage in its log neither votes nor leads, and vouches for nothing from the first damaged record on:
 * another copy may be needed to make the log whole.
 */
export class DamagedVouchesNot implements Checker {
  readonly name = "damaged-vouches-not";
  readonly kinds: readonly TraceKind[] = [
    "damage",
    "truncate",
    "recovered",
    "standing",
    "match",
    "vote",
    "role",
    "append",
    "commit",
  ];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly known = new Map<Member, Known>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    switch (event.kind) {
      case "damage":
        this.onDamage(event, at);
        break;
      case "truncate": {
        const known = this.known.get(this.model.of(event));
        for (const index of known?.damaged ?? []) if (index >= event.from) known?.damaged.delete(index);
        break;
      }
      case "recovered": {
        const member = this.model.of(event);
        this.known.delete(member);
        if (event.standing === "damaged")
          this.known.set(member, { damaged: new Set(), term: event.term, atStart: true, since: at });
        break;
      }
      case "standing":
        if (event.standing !== "damaged") this.known.delete(this.model.of(event));
        break;
      case "match":
        this.onMatch(event);
        break;
      case "vote":
        this.onVote(event);
        break;
      case "role":
        if (event.role === "leader" && this.known.has(this.model.of(event)))
          this.fail(
            `${event.node} leads ${event.group} in term ${event.term} with a damaged log`,
            "It knew.",
          );
        break;
      case "append":
      case "commit":
        this.onLeading(event, at);
        break;
      default:
        break;
    }
  }

  /** What only a leader does, some time after it learned of the damage. */
  private onLeading(event: AppendEvent | CommitEvent, at: Micros): void {
    const member = this.model.of(event);
    const known = this.known.get(member);
    if (member.role !== "leader" || known === undefined || known.since === at) return;
    this.fail(
      `${event.node} leads ${event.group} on in term ${event.term} with a damaged log`,
      `It has known so since ${known.since} us.`,
    );
  }

  private onDamage(event: DamageEvent, at: Micros): void {
    const member = this.model.of(event);
    const unknown = { damaged: new Set<number>(), term: member.term, atStart: false, since: at };
    const known = this.known.get(member) ?? unknown;
    if (event.change === "found") this.known.set(member, known);
    for (let index = event.from; index <= event.to; index++) {
      if (event.change === "found") known.damaged.add(index);
      else known.damaged.delete(index);
    }
  }

  private onMatch(event: MatchEvent): void {
    const known = this.known.get(this.model.of(event));
    if (known === undefined) return;
    let first = Number.POSITIVE_INFINITY;
    for (const index of known.damaged) first = Math.min(first, index);
    if (event.index < first) return;
    this.fail(
      `${event.node} vouched for index ${event.index} of ${event.group}, behind a record that it cannot read`,
      `It knows that record ${first} is damaged.`,
    );
  }

  private onVote(event: VoteEvent): void {
    const known = this.known.get(this.model.of(event));
    if (known === undefined || (event.term <= known.term && !known.atStart)) return;
    this.fail(
      `${event.node} voted for ${event.candidate} in term ${event.term} of ${event.group} with a damaged log`,
      `It was in term ${known.term} when it learned of the damage.`,
    );
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}
