import type { NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { millisecond, second } from "../../core/base/units.ts";
import type { FaultEvent, RoleEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";
import type { Intakes, Watched } from "./intakes.ts";
import type { Troubles } from "./troubles.ts";

/** The shortest election timeout, by the fastest clock that a scenario draws. */
const waitMin: Micros = 250 * millisecond;
/** Whoever has vouched for nothing for so long hears no leader: a heartbeat interval and the shortest election timeout, with some to spare. */
const hearsFor: Micros = 420 * millisecond;
/** Of a new leader it may hear heartbeats alone for so long, which make it vouch for nothing. */
const hearsNewLeaderFor: Micros = 1 * second;
/** After so many objections in a row a node that takes no entries leads all the same. */
const yieldsMax = 4;
/** An answer is not under way for longer than this, unless its link is clogged. */
const answerMax: Micros = 200 * millisecond;

/** A node that takes no entries asked for pre-votes. */
interface Question {
  readonly at: Micros;
  /** Who would rather lead itself: writable, and its log as complete. */
  readonly objectors: readonly Member[];
}

/** From and to: Infinity while it lasts. */
interface Hold {
  readonly from: Micros;
  readonly to: Micros;
}

/** What a slow disk was asked to save while it was slow is saved by then. */
const savedWithin: Micros = 1 * second;
/** No answer waits longer than this for a disk that is slow all the while. */
const slowAnswerMax: Micros = 10 * second;
const holdUps = ["pause", "slow-disk"] as const;
type HoldUp = (typeof holdUps)[number];

/**
 * A node that takes no entries of clients leads only as a last resort. It asks all voters first:
 * - if it leads within less than an election timeout, all have answered that they want it so: none of them is down, and none
 *   is writable with a log as complete;
 * - if it has waited, then no writable voter with a log as complete heard its question in peace.
 */
export class LastResort implements Checker {
  readonly name = "last-resort";
  readonly kinds: readonly TraceKind[] = ["role", "intake", "recovered", "fault"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly intakes: Intakes;
  private readonly troubles: Troubles;
  private readonly questions = new Map<Member, Question>();
  /** How often in a row a member gave way. */
  private readonly yields = new Map<Member, number>();
  private readonly downSince = new Map<NodeId | "", Micros>();
  /** When something last held up a node's answers, by node and what it was. */
  private readonly holds = new Map<string, Hold>();

  constructor(report: Report, model: ClusterModel, { intakes, troubles }: Watched) {
    this.report = report;
    this.model = model;
    this.intakes = intakes;
    this.troubles = troubles;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    switch (event.kind) {
      case "role":
        return this.onRole(event, at);
      case "intake":
      case "recovered":
        this.forget(this.model.of(event));
        return;
      case "fault":
        return this.onFault(event, at);
      default:
        return;
    }
  }

  private onFault({ node, fault, detail }: FaultEvent, at: Micros): void {
    if (fault === "crash") {
      this.downSince.set(node, at);
      this.anotherProcess(node, at);
    } else if (fault === "restart") this.downSince.delete(node);
    else if (fault === "pause") this.held(node, "pause", at);
    else if (fault === "resume") this.goesOn(node, "pause", at);
    else if (fault === "slow-disk" && Number(detail) > 1) this.held(node, "slow-disk", at);
    else if (fault === "slow-disk") this.goesOn(node, "slow-disk", at + savedWithin);
  }

  private forget(member: Member): void {
    this.questions.delete(member);
    this.yields.delete(member);
  }

  private onRole(event: RoleEvent, at: Micros): void {
    const member = this.model.of(event);
    if (event.leader !== "" && event.leader !== event.node) this.yields.delete(member);
    if (event.reason === "yields") this.yields.set(member, (this.yields.get(member) ?? 0) + 1);
    if (event.role === "pre-candidate") this.asks(member, at);
    else if (event.role === "follower") this.questions.delete(member);
    else if (event.role === "leader") this.judge(member, at);
  }

  private asks(member: Member, at: Micros): void {
    const intake = this.intakes.of(member)?.intake ?? "open";
    if (intake === "open" || (this.yields.get(member) ?? 0) >= yieldsMax) this.questions.delete(member);
    else {
      const objectors = member.group.members.filter((other) => this.wouldObject(other, member));
      this.questions.set(member, { at, objectors });
    }
  }

  private wouldObject(other: Member, asking: Member): boolean {
    if (other === asking || this.troubles.isDown(other.node) || !this.intakes.isWritable(other)) return false;
    const [own, theirs] = [other, asking].map((one) => one.termAt(one.lastIndex)) as [number, number];
    return own > theirs || (own === theirs && other.lastIndex >= asking.lastIndex);
  }

  private judge(leader: Member, at: Micros): void {
    const question = this.questions.get(leader);
    this.questions.delete(leader);
    if (question === undefined) return;
    const objector =
      at - question.at < waitMin
        ? question.objectors.find((other) => this.saysSoStill(other, leader, question))
        : question.objectors.find((other) => this.heardInPeace(other, leader, question));
    if (objector !== undefined) {
      return this.fail(leader, question, at, `${objector.node} is writable, and its log as complete`);
    }
    if (at - question.at >= waitMin) return;
    const absent = leader.group.members.find((other) => this.wasAway(other, leader, question));
    if (absent !== undefined)
      this.fail(leader, question, at, `${absent.node} is down and consented to nothing`);
  }

  /** Nothing that it says of itself has changed since it was asked, and no older answer of it was held up on the way. */
  private saysSoStill(other: Member, leader: Member, { at }: Question): boolean {
    const said = this.intakes.of(other);
    if (said === undefined || !this.intakes.isWritable(other) || said.since >= at - answerMax) return false;
    if (this.answersOlder(other, leader, at)) return false;
    return this.troubles.quietBetween(leader.node, other.node) <= at;
  }

  /**
   * It stood still since before the leader's intake changed, or waited for its disk, which was to save a term or a vote before
   * any answer leaves; then it answered what it had been asked until then.
   */
  private answersOlder(other: Member, leader: Member, at: Micros): boolean {
    const since = this.intakes.of(leader)?.since ?? Number.NEGATIVE_INFINITY;
    return holdUps.some((what) => {
      const hold = this.holds.get(`${other.node} ${what}`);
      const lasts = hold !== undefined && hold.to > at - answerMax && hold.from < since;
      return lasts && (what === "pause" || since > at - slowAnswerMax);
    });
  }

  private held(node: NodeId | "", what: HoldUp, at: Micros): void {
    const hold = this.holds.get(`${node} ${what}`);
    const from = hold?.to === Number.POSITIVE_INFINITY ? hold.from : at;
    this.holds.set(`${node} ${what}`, { from, to: Number.POSITIVE_INFINITY });
  }

  /** No answer outlives its process; a slow disk does. */
  private anotherProcess(node: NodeId | "", at: Micros): void {
    this.holds.delete(`${node} pause`);
    const slow = this.holds.get(`${node} slow-disk`);
    if (slow !== undefined) this.holds.set(`${node} slow-disk`, { ...slow, from: at });
  }

  private goesOn(node: NodeId | "", what: HoldUp, at: Micros): void {
    const hold = this.holds.get(`${node} ${what}`);
    if (hold !== undefined) this.holds.set(`${node} ${what}`, { ...hold, to: at });
  }

  private heardInPeace(other: Member, leader: Member, question: Question): boolean {
    const { at } = question;
    const quiet =
      this.troubles.quietSince(leader.node, other.node) <= at &&
      this.troubles.lostAt(leader.node, other.node) < at - answerMax;
    // A voter that has just heard a leader answers no more than a refusal.
    const hears =
      other.matchedAt > at - hearsFor || (other.leader !== "" && other.roleSince > at - hearsNewLeaderFor);
    return quiet && !hears && this.saysSoStill(other, leader, question);
  }

  private wasAway(other: Member, leader: Member, { at }: Question): boolean {
    const since = this.downSince.get(other.node);
    if (since === undefined || since > at - answerMax) return false;
    return this.troubles.quietBetween(leader.node, other.node) <= at;
  }

  private fail(leader: Member, question: Question, at: Micros, why: string): void {
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${leader.node} leads ${leader.group.group} though it is ${this.intakes.of(leader)?.intake}: ${why}`,
      explanation: `It asked the voters at ${question.at} us and leads at ${at} us; nothing kept it from their answer, or their answer from it.`,
    });
  }
}
