import { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { ClientResponse, Entries } from "../commitlog/protocol.ts";
import { errorOf } from "../commitlog/protocol.ts";
import { Backoff } from "./backoff.ts";
import type { ClientConfig } from "./client-config.ts";
import type { TailPlan, Turn } from "./client-event.ts";
import type { Link, Waiter } from "./link.ts";
import type { Router } from "./router.ts";

interface TailState extends Waiter {
  readonly call: number;
  readonly plan: TailPlan;
  readonly backoff: Backoff;
  /** The first index that was not handed over yet: whatever breaks, the tail goes on here. */
  next: number;
  /** Counts failures, and never begins anew: the tail stays with the node that answers, and does not go back to one that did not. */
  attempt: number;
  notBefore: Micros;
  /** Whether a request is under way. */
  asked: boolean;
  paused: boolean;
  /** What arrived while the reader was paused: one answer at most, for none is asked for meanwhile. */
  held: Entries | undefined;
}

/**
 * Tails: each has at most one request under way and one answer held, however slow its reader is. A tail outlives
 * connections, leaders and nodes; it ends when it is cancelled or a node refuses it for good.
 */
export class Tailer {
  private readonly config: ClientConfig;
  private readonly router: Router;
  private readonly draw: () => number;
  private readonly tails = new Map<number, TailState>();

  constructor(config: ClientConfig, router: Router, draw: () => number) {
    this.config = config;
    this.router = router;
    this.draw = draw;
  }

  get size(): number {
    return this.tails.size;
  }

  /** Whether something is to be asked for or handed over that need not wait beyond `now`. */
  waiting(now: Micros): boolean {
    for (const tail of this.tails.values()) {
      if (!tail.asked && !tail.paused && (tail.held !== undefined || now >= tail.notBefore)) return true;
    }
    return false;
  }

  open(call: number, plan: TailPlan): void {
    const delays = { min: this.config.retryDelayMin, max: this.config.retryDelayMax };
    const tail: TailState = {
      call,
      plan,
      backoff: new Backoff(delays, this.draw),
      next: plan.from,
      attempt: 0,
      notBefore: 0,
      asked: false,
      paused: false,
      held: undefined,
      answered: (response, link, turn) => this.answered(tail, response, link, turn),
      lost: (_link, turn) => again(tail, turn.now),
    };
    this.tails.set(call, tail);
  }

  /** What is held is handed over by the next `pump`. */
  pause(call: number, paused: boolean): void {
    const tail = this.tails.get(call);
    if (tail !== undefined) tail.paused = paused;
  }

  pump(turn: Turn): void {
    for (const tail of this.tails.values()) {
      if (tail.held !== undefined && !tail.paused) {
        deliver(tail, tail.held, turn);
        tail.held = undefined;
      }
      if (!wantsEntries(tail) || turn.now < tail.notBefore) continue;
      const { target, entriesMax, bytesMax, wait } = tail.plan;
      const link = this.router.readLink(target, tail.attempt, turn);
      if (link === undefined) continue;
      tail.asked = true;
      const request = {
        type: "tail",
        from: tail.next,
        entriesMax,
        bytesMax,
        waitMicros: wait,
        // What is committed is committed; that there is nothing yet is told to nobody, and refused by a node that hears of nothing new.
        linearizable: false,
      } as const;
      link.request(request, tail, turn, wait);
    }
  }

  private answered(tail: TailState, response: ClientResponse, link: Link, turn: Turn): void {
    if (this.tails.get(tail.call) !== tail) return;
    if (response.type === "fault") {
      const error = errorOf(response);
      if (response.retry === "never") {
        this.tails.delete(tail.call);
        turn.out.push({ type: "failed", call: tail.call, error });
        return;
      }
      this.router.noteRefusal(error);
      if (tail.plan.target === "leader") this.router.notLeader(link, response);
      else this.router.learn(response);
      again(tail, turn.now + tail.backoff.next());
      return;
    }
    if (response.type !== "entries" || !follows(tail.next, response)) {
      again(tail, turn.now + tail.backoff.next());
      this.router.drop(link, turn, new LogError("malformed-frame", "not what a tail asked for"), true);
      return;
    }
    tail.asked = false;
    tail.backoff.reset();
    // A node that is not to wait for entries would be asked in a tight loop.
    if (response.next === tail.next && tail.plan.wait === 0) {
      tail.notBefore = turn.now + this.config.retryDelayMin;
    }
    if (tail.paused) tail.held = response;
    else deliver(tail, response, turn);
  }

  /** @returns whether the call was a tail; it ends without a word. */
  cancel(call: number): boolean {
    return this.tails.delete(call);
  }

  failAll(error: LogError, turn: Turn): void {
    for (const { call } of this.tails.values()) turn.out.push({ type: "failed", call, error });
    this.tails.clear();
  }

  deadline(now: Micros): Micros {
    let earliest = Number.POSITIVE_INFINITY;
    for (const tail of this.tails.values()) {
      if (wantsEntries(tail) && tail.notBefore > now) earliest = Math.min(earliest, tail.notBefore);
    }
    return earliest;
  }
}

function wantsEntries(tail: TailState): boolean {
  return !tail.asked && !tail.paused && tail.held === undefined;
}

function again(tail: TailState, notBefore: Micros): void {
  tail.asked = false;
  tail.attempt += 1;
  tail.notBefore = notBefore;
}

function deliver(tail: TailState, { entries, next, commitIndex }: Entries, turn: Turn): void {
  tail.next = next;
  if (entries.length > 0) turn.out.push({ type: "entries", call: tail.call, entries, next, commitIndex });
}

/** Whether the entries are ascending and lie in [from, next). */
function follows(from: number, { entries, next }: Entries): boolean {
  let least = from;
  for (const { index } of entries) {
    if (index < least) return false;
    least = index + 1;
  }
  return next >= least;
}
