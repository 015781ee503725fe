import { expect } from "chai";
import fc from "fast-check";
import { endOfAll } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import type { Message } from "#core/raft/message";
import type { Written } from "../storage/damaged-log.ts";
import { entriesOf, logOf, segmentsOf, usedBytes } from "../storage/damaged-log.ts";
import { FollowerUnderRepair } from "./follower-under-repair.ts";
import { LoneLeader } from "./lone-leader.ts";

const runs = 300;
/** A record whose head cannot be read takes those behind it in its batch along: so much damage lies on both sides of a fork. */
const recordHeadBytes = 60;
/** Rounds in which everything is delivered; a lost message is sent again after ten. */
const roundsMax = 100;

/** An entry: how many terms of its leaders' later than the one before, and how large. */
interface Shape {
  readonly later: number;
  readonly bytes: number;
}

/** One bit of a record near where the two logs part, or of whatever the disk holds. */
interface Flip {
  readonly nearFork: number | undefined;
  readonly place: number;
  readonly bit: number;
}

type Act =
  | { readonly act: "disk"; readonly calls: number }
  | { readonly act: "deliver" | "answer"; readonly lost: boolean }
  | { readonly act: "ask" }
  | { readonly act: "help"; readonly own: boolean; readonly place: number; readonly count: number }
  | { readonly act: "pass"; readonly time: number }
  | { readonly act: "propose"; readonly bytes: number }
  | { readonly act: "apply"; readonly bytesMax: number }
  | { readonly act: "decay"; readonly flip: Flip; readonly readFrom: number };

const bytes = fc.constantFrom(10, 50, 100, 100, 100, 300, 700, 1_200);
const shapes = (minLength: number, maxLength: number): fc.Arbitrary<Shape[]> =>
  fc.array(fc.record({ later: fc.constantFrom(0, 0, 0, 1, 1, 2, 5), bytes }), {
    minLength,
    maxLength,
    size: "max",
  });

const flips: fc.Arbitrary<Flip> = fc.record({
  nearFork: fc.constantFrom(undefined, -3, -2, -2, -1, -1, -1, 0, 0, 1),
  place: fc.nat(0xffff),
  bit: fc.nat(7),
});

const lost = fc.constantFrom(true, false, false, false, false, false, false, false);
const help = fc.record({
  act: fc.constant("help" as const),
  own: fc.constantFrom(true, true, false),
  place: fc.constantFrom(0, 0, 0, 1, 2),
  count: fc.integer({ min: 1, max: 12 }),
});

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({ act: fc.constant("disk" as const), calls: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 16, arbitrary: fc.record({ act: fc.constant("deliver" as const), lost }) },
  { weight: 8, arbitrary: fc.record({ act: fc.constant("answer" as const), lost }) },
  { weight: 8, arbitrary: fc.constant({ act: "ask" as const }) },
  { weight: 20, arbitrary: help },
  { weight: 7, arbitrary: fc.record({ act: fc.constant("pass" as const), time: fc.nat(60_000) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("propose" as const), bytes }) },
  {
    weight: 8,
    arbitrary: fc.record({ act: fc.constant("apply" as const), bytesMax: fc.integer({ min: 1, max: 800 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant("decay" as const), flip: flips, readFrom: fc.nat(15) }),
  },
);

const cases = fc.record({
  own: shapes(3, 14),
  /** Records of each write, and whether the log is idle after it. */
  writes: fc.array(fc.record({ count: fc.integer({ min: 2, max: 14 }), idle: fc.boolean() }), {
    minLength: 3,
    maxLength: 3,
  }),
  /** Where the first leader's log parts from the follower's, and what it has instead. */
  fork: fc.nat(13),
  leaders: shapes(0, 8),
  flips: fc.array(flips, { minLength: 1, maxLength: 3 }),
  decays: fc.constantFrom(true, false, false),
  /** Another leader after so many acts: how much it has of the first one's log, and what it has instead of the rest. */
  next: fc.oneof(
    { weight: 2, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.record({
        after: fc.integer({ min: 20, max: 150 }),
        keeps: fc.nat(20),
        more: fc.nat(3),
        later: fc.nat(1),
      }),
    },
  ),
  windowEntriesMax: fc.integer({ min: 3, max: 7 }),
  copyBytesMax: fc.constantFrom(200, 300, 500, 900, 1 << 20),
  messageEntriesMax: fc.integer({ min: 1, max: 4 }),
  inFlightMessagesMax: fc.integer({ min: 1, max: 4 }),
  acts: fc.array(acts, { minLength: 100, maxLength: 220, size: "max" }),
});

type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

/** Each leader's terms are its own: the follower's entries are of terms 0 modulo 4, and its leaders' of 1, 2 and 3. */
const termOf = (atLeast: number, residue: number): number => atLeast + ((residue - atLeast) & 3);

function runsFrom(term: number, entries: readonly Shape[]): [number, number[]][] {
  let last = term;
  return entries.map((entry, n) => {
    if (n > 0) last += 4 * entry.later;
    return [last, [entry.bytes]];
  });
}

function ownLog({ own, writes }: Case): ReturnType<typeof logOf> {
  const runs = runsFrom(4, own);
  const written: Written[] = [];
  for (let n = 0; runs.length > 0; n++) {
    const write = writes[n % writes.length];
    written.push(runs.splice(0, write?.count ?? 1));
    if (write?.idle === true && n % 2 === 1) written.push("mark");
  }
  return logOf(written);
}

function flip(disk: MemoryDisk, { nearFork, place, bit }: Flip, own: readonly Entry[], fork: number): void {
  const files = segmentsOf(disk);
  const near = nearFork === undefined ? undefined : own[fork + nearFork];
  for (const [n, file] of files.entries()) {
    const content = disk.content(file);
    if (near !== undefined) {
      const record = near.block.subarray(near.offset, near.offset + near.size);
      const at = Buffer.from(content).indexOf(record);
      if (at >= 0) return disk.flip(file, at + (place % Math.min(near.size, recordHeadBytes)), 1 << bit);
    } else if (n === place % files.length && usedBytes(content) > 0) {
      return disk.flip(file, place % usedBytes(content), 1 << bit);
    }
  }
}

/** A follower with what it had once, its leaders, and what is on its way between them. */
class World {
  readonly follower: FollowerUnderRepair;
  readonly own: readonly Entry[];
  leader: LoneLeader;
  private readonly given: Case;
  private readonly fork: number;
  private readonly leaders = new Map<number, LoneLeader>();
  private readonly messages: { readonly from: number; readonly message: Message }[] = [];
  private readonly answers: { readonly to: number; readonly message: Message }[] = [];

  constructor(given: Case) {
    this.given = given;
    const { disk, all } = ownLog(given);
    this.own = all;
    this.fork = 1 + (given.fork % all.length);
    for (const one of given.flips) flip(disk, one, all, this.fork);
    const shared = all.slice(0, this.fork);
    const end = endOfAll(shared, emptyLogEnd);
    const others = entriesOf(runsFrom(end.term + 1, given.leaders), end, 9);
    const ownTerm = endOfAll(all, emptyLogEnd).term;
    this.follower = new FollowerUnderRepair(disk, {
      ...given,
      term: ownTerm,
      leaderOf: (term) => this.leaders.get(term),
      send: (to, message) => this.answers.push({ to, message }),
    });
    const highest = Math.max(ownTerm, endOfAll(others, end).term);
    this.leader = this.elect(1, termOf(highest + 1, 3), [...shared, ...others]);
  }

  private elect(number: number, term: number, log: readonly Entry[]): LoneLeader {
    const leader = new LoneLeader({ ...this.given, number, term, log, now: this.follower.now }, (message) =>
      this.messages.push({ from: number, message }),
    );
    this.leaders.set(term, leader);
    return leader;
  }

  /** Whoever leads next holds all that may be committed (Leader Completeness, Raft §5.4): what its follower vouched for, too. */
  electNext({ keeps, more, later }: NonNullable<Case["next"]>): void {
    const { log, term, commitIndex } = this.leader;
    const vouched = this.follower.vouched.get(term) ?? -1;
    const kept = log.slice(0, Math.max(this.fork, vouched + 1, commitIndex + 1, keeps % log.length));
    const end = endOfAll(kept, emptyLogEnd);
    const nextTerm = term + 4 * (1 + later);
    const between = termOf(end.term + 1, 2);
    const others = between < nextTerm ? entriesOf([[between, Array(more).fill(100)]], end, 33) : [];
    this.leader = this.elect(2, nextTerm, [...kept, ...others]);
  }

  deliver(isLost: boolean): void {
    const sent = this.messages.shift();
    if (sent !== undefined && !isLost) this.follower.receive(sent.from, sent.message);
  }

  answer(isLost: boolean): void {
    const sent = this.answers.shift();
    if (sent?.to === this.leader.number && !isLost) this.leader.receive(sent.message);
  }

  pass(time: number): void {
    this.follower.now += time;
    this.leader.tick(this.follower.now);
  }

  play(act: Act): void {
    const { follower } = this;
    switch (act.act) {
      case "disk":
        for (let n = 0; n < act.calls; n++) follower.disk.step();
        return;
      case "deliver":
        return this.deliver(act.lost);
      case "answer":
        return this.answer(act.lost);
      case "ask":
        return follower.askPeers();
      case "help":
        return follower.help(act.own ? this.own : this.leader.log, act.place, act.count);
      case "pass":
        return this.pass(act.time);
      case "propose":
        return this.leader.propose(act.bytes);
      case "apply":
        return follower.apply(act.bytesMax, this.leader.log);
      case "decay":
        if (!this.given.decays) return;
        flip(follower.disk, act.flip, this.own, this.fork);
        return follower.scrub(act.readFrom);
    }
  }

  /** Everything is delivered, and the leader's own log is what peers answer with. */
  round(): void {
    const { follower, leader } = this;
    for (let n = 0; n < 5; n++) {
      this.deliver(false);
      follower.disk.run();
      this.answer(false);
    }
    this.pass(20_000);
    follower.askPeers();
    follower.help(leader.log, follower.asked - 1, 12);
    follower.disk.run();
    follower.apply(1 << 20, leader.log);
    follower.disk.run();
    follower.expectSound();
  }

  get converged(): boolean {
    const { log, commitIndex } = this.leader;
    return this.follower.hasAllOf(log) && commitIndex === log.length - 1;
  }
}

/** @returns false when the damage took the end of the log with it. */
function run(given: Case): World | undefined {
  const world = new World(given);
  const { follower } = world;
  // A flip took away what proves that the end was synced: it is a torn tail then, and another property's.
  if (follower.openedAt !== world.own.length - 1) return undefined;
  const { next } = given;
  const after = next === undefined ? given.acts.length : Math.min(next.after, given.acts.length);
  const play = (act: Act): void => {
    world.play(act);
    follower.expectSound();
  };
  given.acts.slice(0, after).forEach(play);
  if (next !== undefined) world.electNext(next);
  given.acts.slice(after).forEach(play);
  for (let round = 0; !world.converged; round++) {
    expect(round, `the follower converges: ${follower}`).to.be.lessThan(roundsMax);
    world.round();
  }
  follower.expectTermsOf(world.leader);
  return world;
}

describe("a follower that is mended while leaders cut its log", () => {
  it("vouches for, applies and in the end holds what its leader holds, and nothing else", () => {
    let cutsThroughDamage = 0;
    let mendings = 0;
    let torn = 0;
    fc.assert(
      fc.property(cases, (given) => {
        const world = run(given);
        if (world === undefined) {
          torn += 1;
          return;
        }
        const { tally } = world.follower;
        cutsThroughDamage += tally.cutsThroughDamage;
        mendings += tally.mendings;
      }),
      { numRuns: runs },
    );
    expect(torn, "logs whose end went with the damage").to.be.lessThan(runs / 2);
    expect(cutsThroughDamage).to.be.greaterThan(8);
    expect(mendings).to.be.greaterThan(100);
  });
});
