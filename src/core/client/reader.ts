import { unreachable } from "../base/assert.ts";
import { LogError } from "../base/errors.ts";
import { NumberMap } from "../base/number-map.ts";
import type { Micros } from "../base/units.ts";
import type { ClientRequest, ClientResponse, Fault } from "../commitlog/protocol.ts";
import { errorOf } from "../commitlog/protocol.ts";
import { Backoff } from "./backoff.ts";
import type { ClientConfig } from "./client-config.ts";
import type { Answer, Question, Target, Turn } from "./client-event.ts";
import type { Link, Unnumbered, Waiter } from "./link.ts";
import type { Router } from "./router.ts";

/** When questions are asked again, and of whom. */
interface Pace {
  readonly backoff: Backoff;
  /** Failures since the last answer: each one moves on to the next node. */
  attempt: number;
  notBefore: Micros;
  /** After a failure one question goes ahead; the others wait for what comes of it. */
  trying: boolean;
}

interface Ask {
  readonly call: number;
  readonly question: Question;
  readonly target: Target;
  readonly deadline: Micros;
  readonly pace: Pace;
}

/** Redirects that a call follows at once; further ones wait, or two nodes with stale hints would keep it spinning. */
const redirectsAtOnceMax = 2;

/**
 * Calls other than appends: each is asked of one node, and asked again, of the next one, until it is answered or out of
 * time. All of them may be repeated without harm.
 */
export class Reader {
  private readonly config: ClientConfig;
  private readonly router: Router;
  private readonly draw: () => number;
  private readonly asks = new NumberMap<Ask>();
  /** Those that wait to be sent. */
  private queued = new Set<Ask>();
  /** The common pace of all reads of a target, while any is wanted. */
  private readonly paces = new Map<string, { readonly pace: Pace; asks: number }>();
  /** At or before the earliest deadline of a call. */
  private earliest: Micros = Number.POSITIVE_INFINITY;

  constructor(config: ClientConfig, router: Router, draw: () => number) {
    this.config = config;
    this.router = router;
    this.draw = draw;
  }

  get size(): number {
    return this.asks.size;
  }

  /** Whether something is to be sent that need not wait beyond `now`. */
  waiting(now: Micros): boolean {
    for (const ask of this.queued) if (mayAsk(ask, now)) return true;
    return false;
  }

  ask(question: Omit<Ask, "pace">): void {
    const ask = { ...question, pace: this.paceOf(question) };
    this.asks.set(ask.call, ask);
    this.queued.add(ask);
    this.earliest = Math.min(this.earliest, ask.deadline);
  }

  private paceOf({ question, target }: Omit<Ask, "pace">): Pace {
    const delays = { min: this.config.retryDelayMin, max: this.config.retryDelayMax };
    const fresh = { backoff: new Backoff(delays, this.draw), attempt: 0, notBefore: 0, trying: false };
    if (!isRead(question)) return fresh;
    const shared = this.paces.get(keyOf(target)) ?? { pace: fresh, asks: 0 };
    this.paces.set(keyOf(target), shared);
    shared.asks += 1;
    return shared.pace;
  }

  pump(turn: Turn): void {
    // A set in use for long keeps what went through it in memory, as `NumberMap` tells; an empty one is made anew.
    if (this.queued.size === 0) return;
    for (const ask of this.queued) {
      if (!mayAsk(ask, turn.now)) continue;
      const link = this.router.readLink(ask.target, ask.pace.attempt, turn);
      if (link === undefined) this.failFast(ask, turn);
      else {
        ask.pace.trying = ask.pace.attempt > 0;
        link.request(requestOf(ask.question), this.waiterOf(this.take(ask)), turn);
      }
    }
    if (this.queued.size === 0) this.queued = new Set();
  }

  /**
   * The calls that one request answers, taken from the queue. A read index covers every call made before it was asked
   * for, so one request serves all that want one: while nobody leads, many callers ask no more often than one.
   */
  private take(first: Ask): readonly Ask[] {
    this.queued.delete(first);
    const asks = [first];
    if (first.question.kind !== "read-index") return asks;
    for (const ask of this.queued) {
      if (ask.question.kind !== "read-index" || ask.pace !== first.pace) continue;
      this.queued.delete(ask);
      asks.push(ask);
    }
    return asks;
  }

  /** The state of a named node that cannot be reached is just that: nobody else can tell it, so there is no waiting. */
  private failFast(ask: Ask, turn: Turn): void {
    if (typeof ask.target !== "object") return;
    const link = this.router.linkOf(ask.target.node);
    if (link === undefined) {
      this.fail(ask, new LogError("unknown-node", `no node ${ask.target.node} among the peers`), turn);
    } else if (ask.question.kind === "status" && link.state === "down" && link.lastError !== undefined) {
      this.fail(ask, link.lastError, turn);
    }
  }

  private waiterOf(sent: readonly Ask[]): Waiter {
    const left = (): Ask[] => {
      for (const { pace } of sent) pace.trying = false;
      return sent.filter((ask) => this.asks.has(ask.call));
    };
    return {
      answered: (response, link, turn) => this.answered(left(), response, link, turn),
      lost: (_link, turn) => this.again(left(), turn.now),
    };
  }

  private answered(asks: readonly Ask[], response: ClientResponse, link: Link, turn: Turn): void {
    const [first] = asks;
    if (first === undefined) return;
    if (response.type === "fault") {
      this.faulted(first, asks, response, link, turn);
      return;
    }
    const answer = answerOf(first.question, response);
    if (answer === undefined) {
      this.again(asks, turn.now);
      this.router.drop(link, turn, new LogError("malformed-frame", `a ${response.type} as an answer`), true);
      return;
    }
    this.worked(first.pace);
    for (const ask of asks) {
      this.remove(ask);
      turn.out.push({ type: "answered", call: ask.call, answer });
    }
  }

  private faulted(first: Ask, asks: readonly Ask[], fault: Fault, link: Link, turn: Turn): void {
    const error = errorOf(fault);
    if (fault.retry === "never" || isFinal(first.question, fault)) {
      this.worked(first.pace);
      for (const ask of asks) this.fail(ask, error, turn);
      return;
    }
    this.router.noteRefusal(error);
    const { target, pace } = first;
    const redirected =
      fault.code === "not-leader" && fault.leader !== "" && pace.attempt < redirectsAtOnceMax;
    if (target === "leader" && fault.code !== "leader-not-ready") this.router.notLeader(link, fault);
    else this.router.learn(fault);
    // Questions that were under way together fail together, and that is one failure.
    const failing = pace.notBefore > turn.now;
    this.again(asks, redirected ? turn.now : failing ? pace.notBefore : turn.now + pace.backoff.next());
  }

  private worked(pace: Pace): void {
    pace.backoff.reset();
    pace.attempt = 0;
    pace.notBefore = 0;
  }

  private again(asks: readonly Ask[], notBefore: Micros): void {
    const [first] = asks;
    if (first === undefined) return;
    first.pace.attempt += 1;
    first.pace.notBefore = notBefore;
    for (const ask of asks) this.queued.add(ask);
  }

  private remove(ask: Ask): void {
    this.asks.delete(ask.call);
    this.queued.delete(ask);
    if (!isRead(ask.question)) return;
    const shared = this.paces.get(keyOf(ask.target));
    if (shared === undefined) return;
    shared.asks -= 1;
    if (shared.asks === 0) this.paces.delete(keyOf(ask.target));
  }

  private fail(ask: Ask, error: LogError, turn: Turn): void {
    this.remove(ask);
    turn.out.push({ type: "failed", call: ask.call, error });
  }

  /** @returns whether the call was one of these. */
  cancel(call: number, error: LogError, turn: Turn): boolean {
    const ask = this.asks.get(call);
    if (ask === undefined) return false;
    this.fail(ask, error, turn);
    return true;
  }

  failAll(error: LogError, turn: Turn): void {
    for (const ask of this.asks.values()) this.fail(ask, error, turn);
  }

  expire(turn: Turn): void {
    if (turn.now < this.earliest) return;
    this.earliest = Number.POSITIVE_INFINITY;
    for (const ask of this.asks.values()) {
      if (turn.now >= ask.deadline) this.fail(ask, timedOut(this.router.lastError), turn);
      else this.earliest = Math.min(this.earliest, ask.deadline);
    }
  }

  deadline(now: Micros): Micros {
    let earliest = this.earliest;
    for (const { pace } of this.queued) {
      if (pace.notBefore > now && !pace.trying) earliest = Math.min(earliest, pace.notBefore);
    }
    return earliest;
  }
}

function mayAsk({ pace }: Ask, now: Micros): boolean {
  return now >= pace.notBefore && !pace.trying;
}

/** Whether a question is about the log: what keeps one of them from an answer mostly keeps the others too. */
function isRead({ kind }: Question): boolean {
  return kind === "get" || kind === "read-index";
}

function keyOf(target: Target): string {
  return typeof target === "object" ? `node ${target.node}` : target;
}

/** A call that ran out of time before it had any effect. `reason` is the last thing that kept calls from getting through. */
export function timedOut(reason: LogError | undefined): LogError {
  if (reason === undefined) return new LogError("timeout", "no answer in time");
  return new LogError("timeout", `no answer in time; last: ${reason.code}: ${reason.message}`, {
    cause: reason,
  });
}

/** An append ran out of time. What nobody could take for a reason that a pause does not mend is told by that reason. */
export function appendTimedOut(reason: LogError | undefined): LogError {
  if (reason?.code !== "disk-full" && reason?.code !== "read-only") return timedOut(reason);
  return new LogError(reason.code, `${reason.message}, for as long as the append had`, { cause: reason });
}

/** A leader that refuses to hand over to a node says so once: whoever asked decides whether to ask again. */
function isFinal(question: Question, { code }: Fault): boolean {
  if (question.kind !== "transfer") return false;
  return code === "transfer-failed" || code === "read-only" || code === "disk-full";
}

function requestOf(question: Question): Unnumbered<ClientRequest> {
  switch (question.kind) {
    case "get":
      return { type: "get", index: question.index, linearizable: question.linearizable };
    case "read-index":
      return { type: "read-index" };
    case "status":
      return { type: "status" };
    case "transfer":
      return { type: "transfer", to: question.to };
    case "set-read-only":
      return { type: "set-read-only", readOnly: question.readOnly };
    default:
      return unreachable(question);
  }
}

/** @returns undefined when the response answers another question. */
function answerOf(question: Question, response: ClientResponse): Answer | undefined {
  switch (response.type) {
    case "entry":
      if (question.kind !== "get" || response.entry.index !== question.index) return undefined;
      return { kind: "get", entry: response.entry };
    case "read-index-confirmed":
      return question.kind === "read-index" ? { kind: "read-index", index: response.index } : undefined;
    case "status-report":
      return question.kind === "status" ? { kind: "status", status: response.status } : undefined;
    case "transferred":
      return question.kind === "transfer" ? { kind: "transfer" } : undefined;
    case "read-only-set":
      return question.kind === "set-read-only" ? { kind: "set-read-only" } : undefined;
    default:
      return undefined;
  }
}
