import type { GroupId } from "../core/base/brand.ts";
import type { Micros } from "../core/base/units.ts";
import { millisecond, second } from "../core/base/units.ts";
import type { Member } from "./checker/cluster-model.ts";
import type { RunViolation, WorkloadPort } from "./scenario.ts";

/** Sooner than clients give up a connection that owes an answer. */
const answeredWithin: Micros = 2_500 * millisecond;
/** How long all members may take to follow one leader; a run that is slower is asked nothing here. */
export const followWithin: Micros = 3 * second;
/** The load goes on for so long after the burst. */
export const busyFor: Micros = 400 * millisecond;

/**
 * After the faults, once every member follows a leader and has committed what it had, each client asks for much at once, and
 * each of these calls is answered soon: an answer that is lost on an open connection is noticed by nobody else.
 */
export class AnsweredCalls {
  private readonly workload: WorkloadPort;
  private readonly groups: readonly GroupId[];
  private readonly membersOf: (group: GroupId) => readonly Member[];
  private readonly floors = new Map<GroupId, number>();
  /** Since when all is well. */
  since: Micros = Number.POSITIVE_INFINITY;

  /** @param membersOf those of a group that take part. */
  constructor(
    workload: WorkloadPort,
    groups: readonly GroupId[],
    membersOf: (group: GroupId) => readonly Member[],
  ) {
    this.workload = workload;
    this.groups = groups;
    this.membersOf = membersOf;
  }

  /** @returns whether the burst begins now. */
  begins(now: Micros): boolean {
    if (this.since <= now || !this.groups.every((group) => this.isWell(group))) return false;
    this.since = now;
    this.workload.burst?.();
    return true;
  }

  /** What a clog held back before the faults ended may still be on its way to a member. */
  private isWell(group: GroupId): boolean {
    const members = this.membersOf(group);
    const leader = members.find(({ role }) => role === "leader");
    if (leader === undefined) return false;
    const floor = this.floors.get(group) ?? leader.commitIndex;
    this.floors.set(group, floor);
    return members.every(
      (member) =>
        (member.standing === "member" || member.standing === "wiped") &&
        (member === leader || member.leader === leader.node) &&
        member.commitIndex >= floor,
    );
  }

  overdue(now: Micros): Omit<RunViolation, "atMicros"> | undefined {
    // Nearly always nothing is timed, and all calls under way would be looked through for it.
    if (now - this.since <= answeredWithin) return undefined;
    const call = this.workload.overdue?.(this.since, answeredWithin);
    if (call === undefined) return undefined;
    return {
      checker: "answered-calls",
      message: `a call was not answered within ${answeredWithin / second} s though all members follow a leader`,
      explanation: `${call} at ${now} us.`,
    };
  }
}
