import type { NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { millisecond, second } from "../../core/base/units.ts";
import type { FaultEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker } from "./checker.ts";

/**
 * Two nodes may miss each other for so long after what kept them apart is over: a dial that was under way falls silent until
 * the network's timeout, and the next one waits for the longest reconnect delay.
 */
const redialAfterSilence: Micros = 3 * second + 1_500 * millisecond;
/** The same where the other end was told: only the delay remains. */
const redialAfterReset: Micros = 1_500 * millisecond;

/** `n0>n1#7` or `n0>n1/peer-control#7`: the two ends of a link that chance struck, and for a clog `n0>n1 until 12`. */
const linkPattern = /^([^>]+)>([^/# ]+)(?: until (\d+))?/;

/** What chance does to a link, and for how long that may keep the two ends apart. A lost or late frame is made good at once. */
const linkFaults: ReadonlyMap<string, Micros> = new Map([
  ["refuse", redialAfterReset],
  ["half-open", redialAfterSilence],
  ["clog", redialAfterReset],
  ["clog-bulk", redialAfterReset],
  ["clog-control", redialAfterReset],
]);

/**
 * What keeps nodes from hearing each other or from answering in time: a silence on the way, a node that is down or stands
 * still, a disk that is slow. It judges nothing: checkers with a bound on time ask it whether two nodes were left in peace.
 */
export class Troubles implements Checker {
  readonly name = "troubles";
  readonly kinds: readonly TraceKind[] = ["fault"];
  /** Until when the last trouble of a node, or of two nodes (`n0 n1`), may be felt: Infinity while it lasts. */
  private readonly until = new Map<string, Micros>();
  private readonly paused = new Set<string>();
  private readonly slow = new Set<string>();
  private readonly down = new Map<string, Micros>();
  /** Cuts in force, by pair. */
  private readonly cuts = new Map<string, number>();
  /** Until when the last frame that chance took is missed, by pair. */
  private readonly lost = new Map<string, Micros>();

  onEvent(event: TraceEvent, at: Micros): void {
    if (event.kind === "fault") this.note(event, at);
  }

  /** Since when nothing was between the two nodes, nor kept one of them: Infinity while something does. */
  quietSince(one: NodeId, other: NodeId): Micros {
    return Math.max(this.quietAt(one), this.quietAt(other), this.quietBetween(one, other));
  }

  /** When the last frame between the two was lost. */
  lostAt(one: NodeId, other: NodeId): Micros {
    return this.lost.get(pairOf(one, other)) ?? Number.NEGATIVE_INFINITY;
  }

  isDown(node: NodeId): boolean {
    return this.down.has(node);
  }

  private quietAt(node: string): Micros {
    if (this.down.has(node) || this.paused.has(node) || this.slow.has(node)) return Number.POSITIVE_INFINITY;
    return this.until.get(node) ?? Number.NEGATIVE_INFINITY;
  }

  /** As `quietSince`, of the way between them alone. */
  quietBetween(one: string, other: string): Micros {
    const pair = pairOf(one, other);
    if ((this.cuts.get(pair) ?? 0) > 0) return Number.POSITIVE_INFINITY;
    return this.until.get(pair) ?? Number.NEGATIVE_INFINITY;
  }

  private note({ node, fault, detail }: FaultEvent, at: Micros): void {
    switch (fault) {
      case "crash":
        // A machine without power answers no dial, so that those who try meanwhile notice late that it is back.
        this.down.set(node, detail === "power" ? redialAfterSilence : redialAfterReset);
        // Its process is another one when it comes back.
        this.paused.delete(node);
        return;
      case "restart":
        this.felt(node, at + (this.down.get(node) ?? 0));
        this.down.delete(node);
        return;
      case "pause":
        this.paused.add(node);
        return;
      case "resume":
        this.paused.delete(node);
        return this.felt(node, at + redialAfterReset);
      case "slow-disk":
        if (Number(detail) > 1) this.slow.add(node);
        else if (this.slow.delete(node)) this.felt(node, at + second);
        return;
      case "stalled-disk":
        return this.felt(node, at + second);
      case "cut":
        return this.eachPair(detail, (pair) => this.cuts.set(pair, (this.cuts.get(pair) ?? 0) + 1));
      case "heal":
        return this.healed(detail, at);
      default:
        return this.onLink(fault, detail, at);
    }
  }

  private onLink(fault: string, detail: string, at: Micros): void {
    if (fault !== "loss" && !linkFaults.has(fault)) return;
    const [, from, to, until] = linkPattern.exec(detail) ?? [];
    if (from === undefined || to === undefined) return;
    const pair = pairOf(from, to);
    if (fault === "loss") this.lost.set(pair, at);
    else this.felt(pair, Math.max(at, Number(until ?? 0)) + (linkFaults.get(fault) ?? 0));
  }

  /** `n0>n1,n1>n0`: each direction that was cut. */
  private healed(detail: string, at: Micros): void {
    for (const direction of detail.split(",")) {
      const [from = "", to = ""] = direction.split(">");
      const pair = pairOf(from, to);
      this.cuts.set(pair, Math.max(0, (this.cuts.get(pair) ?? 0) - 1));
      this.felt(pair, at + redialAfterSilence);
    }
  }

  /** `n0,n1>n2`: every direction from one side to the other. */
  private eachPair(detail: string, act: (pair: string) => void): void {
    const [from = "", to = ""] = detail.split(">");
    for (const a of from.split(",")) for (const b of to.split(",")) if (a !== b) act(pairOf(a, b));
  }

  private felt(whom: string, until: Micros): void {
    this.until.set(whom, Math.max(until, this.until.get(whom) ?? until));
  }
}

function pairOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}
