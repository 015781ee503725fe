import { expect } from "chai";
import fc from "fast-check";
import { makeEntries } from "#bench/storage/log-script";
import { groupId, nodeId } from "#core/base/brand";
import { ByteReader } from "#core/base/bytes";
import type { Entry, LogEnd } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import { decodeFetch, readFrameHeader } from "#core/node/peer-frame";
import { Repair } from "#core/node/repair";

const group = groupId("g0");
const others = [nodeId("n1"), nodeId("n2")];

/** One hole in a log, whose records come back only as whole pieces that chain. */
class HurtLog {
  readonly held: number[] = [];
  readonly pieces: number[] = [];
  readonly whole: readonly Entry[];
  readonly before: LogEnd;
  readonly after: LogEnd;
  readonly placed: Entry[] = [];
  readonly told: { first: number; last: number }[] = [];
  readonly asked: { to: string; first: number; last: number }[] = [];
  readonly repair: Repair;

  constructor(whole: readonly Entry[], first: number, last: number, bytesMax: number) {
    this.whole = whole;
    this.before = first === 0 ? emptyLogEnd : endOf(whole[first - 1] as Entry);
    this.after = endOf(whole[last] as Entry);
    const put = (entries: readonly Entry[], done: (error: undefined, placed: boolean) => void): void => {
      for (const entry of entries) expect(entry.chainCrc).to.equal(whole[entry.index]?.chainCrc);
      expect(entries[0]?.index).to.equal(this.front.index + 1);
      this.placed.push(...entries);
      this.pieces.push(entries.length);
      done(undefined, true);
    };
    this.repair = new Repair(
      {
        group,
        others,
        bytesMax,
        send: (to, frame) => {
          const reader = new ByteReader(frame, 0);
          readFrameHeader(reader);
          this.asked.push({ to, ...decodeFetch(reader) });
        },
        hole: () =>
          this.front.index === this.after.index ? undefined : { before: this.front, after: this.after },
        mend: (entries, _upTo, done) => put(entries, done),
      },
      {
        placed: () => undefined,
        mended: (range) => {
          this.told.push(range);
          this.repair.ask();
        },
        failed: (error) => {
          throw error;
        },
      },
    );
  }

  private get front(): LogEnd {
    const last = this.placed[this.placed.length - 1];
    return last === undefined ? this.before : endOf(last);
  }

  /** Answers the last request out of a peer's log, `count` records at a time. */
  answer(log: readonly Entry[], count: number): void {
    const request = this.asked[this.asked.length - 1] as { first: number; last: number };
    const entries = log.slice(request.first, Math.min(request.last + 1, request.first + count));
    const before = log[request.first - 1];
    this.repair.received(before === undefined ? emptyLogEnd : endOf(before), entries);
    this.held.push(this.repair.heldBytes);
  }

  get mended(): boolean {
    return this.front.index === this.after.index;
  }
}

describe("repair", () => {
  const lengths = Array.from({ length: 400 }, (_, n) => (n * 37) % 300);
  const whole = makeEntries(emptyLogEnd, 3, lengths);

  it("of a hole that is not larger than what may be held takes each copy once", () => {
    const log = new HurtLog(whole, 10, 19, 100_000);
    log.repair.ask();
    for (let turns = 0; !log.mended; turns++) {
      expect(turns).to.be.lessThan(20);
      log.answer(whole, 3);
    }
    expect(log.pieces).to.deep.equal([10]);
    expect(log.told).to.deep.equal([{ first: 10, last: 19 }]);
    expect(log.asked.filter(({ first }) => first === 10)).to.have.length(1);
  });

  it("holds no more copies than it may, however large the hole is", () => {
    for (const count of [1, 3, 7]) {
      const log = new HurtLog(whole, 1, 398, 4_000);
      log.repair.ask();
      for (let turns = 0; !log.mended; turns++) {
        expect(turns).to.be.lessThan(2_000);
        log.answer(whole, count);
      }
      expect(Math.max(...log.held)).to.be.within(1_000, 4_000 + 400);
      expect(log.pieces.length).to.be.greaterThan(20);
      expect(log.told.every(({ first }) => first === 1)).to.equal(true);
      expect(log.told[log.told.length - 1]?.last).to.equal(398);
    }
  });

  it("puts nothing in place before copies have chained through the whole hole, of whomever they are", () => {
    const fork = 60;
    const common = whole.slice(0, fork);
    const stranger = [...common, ...makeEntries(endOf(common[fork - 1] as Entry), 3, lengths.slice(fork), 1)];
    const log = new HurtLog(whole, 50, 350, 4_000);
    log.repair.ask();
    for (let turns = 0; turns < 600; turns++) {
      if (log.asked.length > 0 && log.asked[log.asked.length - 1]?.first === 351) break;
      log.answer(stranger, 5);
      expect(log.placed).to.deep.equal([]);
      log.repair.ask();
    }
    // Some of either: what fits neither is begun anew.
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 5, maxLength: 60 }), (mixed) => {
        const hurt = new HurtLog(whole, 50, 350, 4_000);
        hurt.repair.ask();
        for (const strange of mixed) {
          if (hurt.mended) break;
          hurt.answer(strange ? stranger : whole, 25);
          hurt.repair.ask();
        }
        for (let turns = 0; !hurt.mended; turns++) {
          expect(turns).to.be.lessThan(500);
          hurt.answer(whole, 25);
          hurt.repair.ask();
        }
        expect(hurt.placed.map((entry) => entry.index)).to.deep.equal(
          Array.from({ length: 301 }, (_, n) => 50 + n),
        );
      }),
      { numRuns: 100 },
    );
  });
});
