import type { NodeId } from "../base/brand.ts";
import { HighWater } from "../base/high-water.ts";
import type { Micros } from "../base/units.ts";
import type { Intake } from "../io/trace.ts";

/**
 * - `probe`: where the logs agree is not known; one AppendEntries at a time.
 * - `replicate`: it is known; AppendEntries are pipelined up to the in-flight limits.
 */
export type ProgressState = "probe" | "replicate";

/** What a leader knows of one follower. Source: Raft figure 2, "volatile state on leaders". */
export class Progress {
  readonly peer: NodeId;
  /** The follower holds, synced, the leader's log up to here. Only grows within a term. */
  matchIndex = -1;
  /** The next entry to send. */
  nextIndex: number;
  state: ProgressState = "probe";
  /** In `probe`: the one message is out and unanswered. */
  probeSent = false;
  /** In `probe`: a guess was refused, so the next guess travels without entries. */
  refused = false;
  /** A `load` effect from here is out; -1 for none. */
  loadFirst = -1;
  /** What the follower last told of itself. */
  intake: Intake = "open";
  /** What the follower last vouched for. It is less than the match when it restarted, or found damage. */
  vouched = -1;
  /** When the follower last answered in this term. */
  heardAt: Micros;
  /** The latest heartbeat round that it answered. */
  roundAcked = 0;
  /** The highest commitIndex that was sent to it. */
  commitSent = -1;
  /** Since when an AppendEntries has been waiting for its answer; Infinity when none is. */
  waitingSince: Micros = Number.POSITIVE_INFINITY;
  inFlightBytes = 0;
  readonly mostInFlightBytes: HighWater = new HighWater();
  inFlightCount = 0;
  /** A ring of what is in flight: last index and bytes of each message. */
  private readonly lastIndexes: Float64Array;
  private readonly sizes: Float64Array;
  private head = 0;

  constructor(peer: NodeId, nextIndex: number, now: Micros, inFlightMessagesMax: number) {
    this.peer = peer;
    this.nextIndex = nextIndex;
    this.heardAt = now;
    this.lastIndexes = new Float64Array(inFlightMessagesMax);
    this.sizes = new Float64Array(inFlightMessagesMax);
  }

  get inFlightFull(): boolean {
    return this.inFlightCount === this.lastIndexes.length;
  }

  /** Notes a pipelined message; the caller has checked `inFlightFull`. */
  sent(lastIndex: number, bytes: number, now: Micros): void {
    const at = (this.head + this.inFlightCount) % this.lastIndexes.length;
    this.lastIndexes[at] = lastIndex;
    this.sizes[at] = bytes;
    this.inFlightCount += 1;
    this.inFlightBytes += bytes;
    this.nextIndex = lastIndex + 1;
    if (this.waitingSince === Number.POSITIVE_INFINITY) this.waitingSince = now;
  }

  /** Frees what an answer up to `matchIndex` covers. */
  private free(matchIndex: number, now: Micros): void {
    let freed = false;
    while (this.inFlightCount > 0 && (this.lastIndexes[this.head] as number) <= matchIndex) {
      this.inFlightBytes -= this.sizes[this.head] as number;
      this.head = (this.head + 1) % this.lastIndexes.length;
      this.inFlightCount -= 1;
      freed = true;
    }
    if (freed) this.waitingSince = this.inFlightCount === 0 ? Number.POSITIVE_INFINITY : now;
  }

  /** The follower has looked at what was sent up to an index, which it need not hold: what lies behind may follow. */
  seen(index: number, now: Micros): void {
    this.free(index, now);
    if (this.state === "probe" && this.probeSent && index >= this.nextIndex - 1) this.beginReplicating(index);
  }

  private beginReplicating(index: number): void {
    this.state = "replicate";
    this.refused = false;
    this.probeSent = false;
    this.clearInFlight();
    this.nextIndex = Math.max(this.nextIndex, index + 1);
  }

  /** Forgets what is in flight and asks, from `nextIndex` on, where the logs agree. */
  toProbe(nextIndex: number): void {
    this.state = "probe";
    this.nextIndex = nextIndex;
    this.probeSent = false;
    this.refused = false;
    this.clearInFlight();
  }

  /** As `toProbe`, without sending before the retransmit timeout: the last try just failed. */
  pause(nextIndex: number, now: Micros): void {
    this.toProbe(nextIndex);
    this.probeSent = true;
    this.waitingSince = now;
  }

  private clearInFlight(): void {
    this.inFlightCount = 0;
    this.inFlightBytes = 0;
    this.waitingSince = Number.POSITIVE_INFINITY;
  }

  /** Obeys an acknowledgement. @returns whether matchIndex grew. */
  accepted(matchIndex: number, now: Micros): boolean {
    this.free(matchIndex, now);
    if (this.state === "probe" && matchIndex >= this.nextIndex - 1) this.beginReplicating(matchIndex);
    if (this.state === "replicate") this.nextIndex = Math.max(this.nextIndex, matchIndex + 1);
    // Answers come late and out of order: an older one never takes back what a newer one asserted.
    const grew = matchIndex > this.matchIndex;
    this.matchIndex = Math.max(this.matchIndex, matchIndex);
    return grew;
  }

  /** Whether a refusal answers a message that still matters. */
  isFreshRefusal(rejectedIndex: number): boolean {
    if (this.state === "probe") return this.probeSent && rejectedIndex === this.nextIndex - 1;
    return rejectedIndex > this.matchIndex && rejectedIndex < this.nextIndex;
  }
}
