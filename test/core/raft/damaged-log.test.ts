import { expect } from "chai";
import fc from "fast-check";
import type { Entry } from "#core/base/entry";
import type { TermRun } from "#core/raft/event";
import { Raft } from "#core/raft/raft";
import {
  appendFrom,
  endOfLog,
  group,
  makeLog,
  node,
  nodes,
  raftConfig,
  TraceLog,
  termRuns,
} from "../../support/raft-machine.ts";

/** The runs that recovery tells when the records from `first` to `last` are lost: of the last one the term is known. */
function runsAround(log: readonly Entry[], first: number, last: number): TermRun[] {
  const known = termRuns(log.slice(0, first));
  const term = log[first - 1]?.term ?? 0;
  const termMax = (log[last] as Entry).term;
  if (last > first && termMax > term) known.push({ firstIndex: first, term, termMax });
  for (const entry of log.slice(last)) {
    const run = known[known.length - 1];
    if ((run?.termMax ?? run?.term) !== entry.term || run?.termMax !== undefined) {
      known.push({ firstIndex: entry.index, term: entry.term });
    }
  }
  return known;
}

const rising = (from: number, steps: readonly number[], stride: number): number[] => {
  let term = from;
  return steps.map((step) => {
    term += step * stride;
    return term;
  });
};

const steps = (minLength: number): fc.Arbitrary<number[]> =>
  fc.array(fc.constantFrom(0, 0, 1, 2), { minLength, maxLength: 8 });

/** Two logs with a common beginning; behind it they share no term, so no entry. */
const cases = fc
  .record({
    common: steps(1),
    own: steps(0),
    leader: steps(1),
    a: fc.nat(99),
    b: fc.nat(99),
    each: fc.nat(5),
    mendings: fc.array(fc.record({ turn: fc.nat(6), count: fc.integer({ min: 1, max: 8 }) }), {
      maxLength: 3,
    }),
  })
  .map(({ common, own, leader, a, b, each, mendings }) => {
    const shared = rising(2, common, 2);
    const from = shared[shared.length - 1] as number;
    const beginning = makeLog(shared);
    const end = endOfLog(beginning);
    const follower = [...beginning, ...makeLog(rising(from + 2, own, 2), "own", end)];
    const earlier = [...beginning, ...makeLog(rising(from + 1, leader, 2), "leader", end)];
    // It leads since it appended the no-op of its term, behind every other one.
    const term = Math.max(endOfLog(follower).term, endOfLog(earlier).term) + 1;
    const leaders = [...earlier, ...makeLog([term], "no-op", endOfLog(earlier))];
    const [first, last] = [a % follower.length, b % follower.length].sort((x, y) => x - y) as [
      number,
      number,
    ];
    return { follower, leaders, common: beginning.length, first, last, each: each + 1, mendings };
  });

describe("a follower whose log has a hole", () => {
  it("never cuts an entry that its leader holds, and vouches for nothing behind the hole", () => {
    fc.assert(
      fc.property(cases, ({ follower, leaders, common, first: front, last, each, mendings }) => {
        let first = front;
        const end = endOfLog(follower);
        const { term } = endOfLog(leaders);
        const raft = new Raft(
          raftConfig(node(0), nodes(3)),
          { hardState: { term, votedFor: "" }, end, terms: runsAround(follower, first, last) },
          () => 0,
          new TraceLog(),
          group,
        );
        raft.step({ type: "participation", now: 1, participation: "none", intactTo: first - 1 }, []);
        raft.step({ type: "start", now: 1 }, []);
        let prev = leaders.length - 2;
        let damagedTo = last;
        /** What the node's log is, where the damage hides it too. */
        let own = follower.slice();
        const alike = (): number => {
          let count = 0;
          while (count < own.length && own[count]?.chainCrc === leaders[count]?.chainCrc) count += 1;
          return count;
        };
        for (let turn = 0; ; turn++) {
          expect(turn, "the leader finds where the logs agree").to.be.lessThan(100);
          // A peer has copies of what is left of the damage, or of its front: whatever is the node's log there.
          for (const { count } of mendings.filter((mending) => mending.turn === turn && first <= damagedTo)) {
            const records = own.slice(first, Math.min(first + count, damagedTo + 1));
            raft.step({ type: "learned", now: 2, records }, []);
            first += records.length;
            const intactTo = first <= damagedTo ? first - 1 : Number.POSITIVE_INFINITY;
            raft.step({ type: "participation", now: 2, participation: "none", intactTo }, []);
          }
          const out: Parameters<Raft["step"]>[1] = [];
          const message = appendFrom(term, leaders, prev, leaders.length - 1, each);
          raft.step({ type: "receive", now: 2, from: node(1), message }, out);
          for (const effect of out) {
            if (effect.type === "append") own.push(...effect.entries);
            if (effect.type !== "truncate") continue;
            expect(effect.from, "what the leader holds is not cut").to.be.at.least(common);
            const through = first < effect.from && effect.from <= damagedTo;
            if (!through) expect(alike(), "nothing but the leader's is left").to.be.at.least(effect.from);
            if (through) expect(alike(), "what is before the damage is the leader's").to.be.at.least(first);
            // What is left of the damage is filled with what chains into the leader's entry there.
            own = through ? leaders.slice(0, effect.from) : own.slice(0, effect.from);
            damagedTo = Math.min(damagedTo, effect.from - 1);
          }
          expect(out.some(({ type }) => type === "diverged")).to.equal(false);
          raft.step({ type: "synced", now: 2, index: raft.view.lastIndex }, out);
          expect(raft.view.commitIndex, "only what the leader holds is committed").to.be.lessThan(alike());
          const answers = out.flatMap((effect) =>
            effect.type === "send" && effect.message.type === "append-entries-result" ? [effect.message] : [],
          );
          const answer = answers[answers.length - 1];
          if (answer === undefined) throw new Error("every message is answered once it is durable");
          if (answer.accepted) {
            expect(answer.matchIndex, "only what the leader holds is vouched for").to.be.lessThan(alike());
            if (first <= damagedTo) expect(answer.matchIndex).to.be.lessThan(first);
            // The leader goes on behind what was looked at: what conflicts may lie far behind the hole.
            prev += message.entries.length;
            expect(Math.max(answer.matchIndex, answer.hintIndex)).to.be.at.least(prev);
            if (prev === leaders.length - 1) break;
          } else {
            prev = Math.min(answer.hintIndex, prev - 1);
            while (prev >= 0 && (leaders[prev] as Entry).term > answer.hintTerm) prev -= 1;
          }
        }
        expect(raft.view.lastIndex).to.be.at.least(leaders.length - 1);
      }),
      { numRuns: 2_000 },
    );
  });

  /** A node of term 9, started, that knows only bounds for the terms of entries 2 and 3. */
  const guessing = (log: ReturnType<typeof makeLog>): Raft => {
    const raft = new Raft(
      raftConfig(node(0), nodes(3)),
      { hardState: { term: 9, votedFor: "" }, end: endOfLog(log), terms: runsAround(log, 2, 4) },
      () => 0,
      new TraceLog(),
      group,
    );
    raft.step({ type: "start", now: 1 }, []);
    return raft;
  };

  it("takes a term within the bounds for its own, and no other", () => {
    const log = makeLog([2, 2, 4, 6, 6, 8]);
    const raft = guessing(log);
    const accepts = (prevIndex: number, prevTerm: number): boolean | undefined => {
      const out: Parameters<Raft["step"]>[1] = [];
      const message = { ...appendFrom(9, log, prevIndex, -1, 0), prevTerm };
      raft.step({ type: "receive", now: 2, from: node(1), message }, out);
      const [answer] = out.flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
      return answer?.type === "append-entries-result" ? answer.accepted : undefined;
    };
    const taken = (): number[][] =>
      [1, 2, 3, 4, 5].map((index) => [1, 2, 3, 4, 6, 7, 8].filter((term) => accepts(index, term) === true));
    expect(taken(), "nothing among them before what is before them was compared").to.deep.equal([
      [2],
      [],
      [],
      [6],
      [8],
    ]);
    raft.step({ type: "receive", now: 2, from: node(1), message: appendFrom(9, log, 0, -1, 10) }, []);
    expect(taken()).to.deep.equal([[2], [2, 3, 4, 6], [2, 3, 4, 6], [6], [8]]);
  });

  it("vouches for what it took within the bounds only once an entry behind them is the leader's too", () => {
    const log = makeLog([2, 2, 4, 6, 6, 8]);
    const raft = guessing(log);
    const matchAfter = (to: number): number | undefined => {
      const out: Parameters<Raft["step"]>[1] = [];
      const message = { ...appendFrom(9, log.slice(0, to + 1), 0, to, 10) };
      raft.step({ type: "receive", now: 2, from: node(1), message }, out);
      const [answer] = out.flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
      return answer?.type === "append-entries-result" ? answer.matchIndex : undefined;
    };
    // The leader may hold others of terms 2 to 6 at 2 and 3; the one at 4 is known to be of term 6.
    expect([1, 2, 3].map((to) => [matchAfter(to), raft.view.commitIndex])).to.deep.equal([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    expect([matchAfter(4), raft.view.commitIndex]).to.deep.equal([4, 4]);
  });
});
