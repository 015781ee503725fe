/**
 * Linearizability of any sequential object, by the search of Wing and Gong with the memory of Lowe: exponential at worst,
 * where the log's own checker is a sweep. It stands beside that one to check it, and for what has no sweep.
 */

/** A sequential object. Two states with equal keys are the same state. */
export interface SequentialModel<State, Call> {
  readonly initial: State;
  /** @returns the states that the call may lead to with the answer that it got; none when it cannot have got it here. */
  step(state: State, call: Call): readonly State[];
  key(state: State): string;
}

/** A call and when it was under way; `returnedAt` is Infinity for one that never returned. */
export interface TimedCall<Call> {
  readonly call: Call;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

/** A moment of the history in a doubly linked list: the invocation of a call, or its return. */
interface Moment {
  readonly id: number;
  /** Of an invocation: the return of the same call. Of a return: undefined. */
  readonly end: Moment | undefined;
  previous: Moment;
  next: Moment;
}

/**
 * @returns whether some order of the calls that agrees with real time explains all answers.
 * @param stepsMax gives up beyond so many tried steps: undefined then, for "not known".
 */
export function linearizable<State, Call>(
  model: SequentialModel<State, Call>,
  calls: readonly TimedCall<Call>[],
  stepsMax: number = Number.POSITIVE_INFINITY,
): boolean | undefined {
  const head = linked(calls);
  const done = new Uint8Array(calls.length);
  let left = calls.length;
  const seen = new Set<string>();
  /** The choices made so far: which invocation, the state before it, and which of its outcomes was taken. */
  const taken: { readonly moment: Moment; readonly state: State; readonly choice: number }[] = [];
  let state = model.initial;
  let moment = head.next;
  let choice = 0;
  for (let steps = 0; left > 0; steps++) {
    if (steps >= stepsMax) return undefined;
    const outcome = moment.end === undefined ? undefined : tried(model, calls, { state, moment, choice });
    if (outcome !== undefined) {
      done[moment.id] = 1;
      const mark = `${String.fromCharCode(...packed(done))}|${model.key(outcome.state)}`;
      if (!seen.has(mark)) {
        seen.add(mark);
        taken.push({ moment, state, choice: outcome.choice });
        state = outcome.state;
        left -= 1;
        lift(moment);
        moment = head.next;
        choice = 0;
        continue;
      }
      done[moment.id] = 0;
      choice = outcome.choice + 1;
      continue;
    }
    choice = 0;
    if (moment.end !== undefined) {
      moment = moment.next;
      continue;
    }
    // A return stands before every call that is left: none of them may come before it, so an earlier choice was wrong.
    const last = taken.pop();
    if (last === undefined) return false;
    done[last.moment.id] = 0;
    left += 1;
    state = last.state;
    unlift(last.moment);
    moment = last.moment;
    choice = last.choice + 1;
  }
  return true;
}

function tried<State, Call>(
  model: SequentialModel<State, Call>,
  calls: readonly TimedCall<Call>[],
  at: { readonly state: State; readonly moment: Moment; readonly choice: number },
): { readonly state: State; readonly choice: number } | undefined {
  const timed = calls[at.moment.id];
  if (timed === undefined) return undefined;
  const outcomes = model.step(at.state, timed.call);
  const state = outcomes[at.choice];
  return state === undefined ? undefined : { state, choice: at.choice };
}

/** All moments in the order of time behind a head; at equal times invocations come first, so such calls overlap. */
function linked<Call>(calls: readonly TimedCall<Call>[]): Moment {
  const order: { readonly at: number; readonly id: number; readonly returns: boolean }[] = [];
  for (const [id, call] of calls.entries()) {
    order.push({ at: call.invokedAt, id, returns: false }, { at: call.returnedAt, id, returns: true });
  }
  order.sort((a, b) => compared(a.at, b.at) || Number(a.returns) - Number(b.returns) || a.id - b.id);
  const ends = new Map<number, Moment>();
  const head = lone(-1, undefined);
  let before = head;
  // Returns get their moments first, so that each invocation can point at its own.
  for (const { id, returns } of order) if (returns) ends.set(id, lone(id, undefined));
  for (const { id, returns } of order) {
    const end = ends.get(id) as Moment;
    const moment = returns ? end : lone(id, end);
    join(before, moment);
    before = moment;
  }
  // Something behind the last return, so that every moment has two neighbours.
  join(before, lone(-1, undefined));
  return head;
}

function compared(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lone(id: number, end: Moment | undefined): Moment {
  const moment = { id, end } as Moment;
  moment.previous = moment;
  moment.next = moment;
  return moment;
}

function join(before: Moment, after: Moment): void {
  before.next = after;
  after.previous = before;
}

/** Takes an invocation and its return out of the list. */
function lift(moment: Moment): void {
  const end = moment.end as Moment;
  join(moment.previous, moment.next);
  join(end.previous, end.next);
}

/** Puts back what `lift` took out last. */
function unlift(moment: Moment): void {
  for (const back of [moment.end as Moment, moment]) {
    back.previous.next = back;
    back.next.previous = back;
  }
}

/** Sixteen flags a character. */
function packed(done: Uint8Array): number[] {
  const words: number[] = [];
  for (let i = 0; i < done.length; i += 16) {
    let word = 0;
    for (let bit = 0; bit < 16; bit++) word |= (done[i + bit] ?? 0) << bit;
    words.push(word);
  }
  return words;
}
