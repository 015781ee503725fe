import { expect } from "chai";
import * as fc from "fast-check";
import { groupId } from "#core/base/brand";
import type { Flaw } from "#sim/checker/append-once";
import { appendOnceFlaw } from "#sim/checker/append-once";
import { linearizableFlaw } from "#sim/checker/linearizable-log";
import { refusalFlaw } from "#sim/checker/sound-refusal";
import { tailFlaw } from "#sim/checker/tail-integrity";
import type {
  AppendOperation,
  Crowd,
  GetOperation,
  History,
  Operation,
  ReadIndexOperation,
  TailOperation,
} from "#sim/history/history";
import { foreignKey, internalKey } from "#sim/history/history";
import { decodePayload, encodePayload, payloadKeyOf, payloadName } from "#sim/history/payload";

function history(...operations: readonly Operation[]): History {
  return { group: groupId("g0"), operations };
}

function append(span: readonly [number, number], key: number, index: number): AppendOperation {
  const [invokedAt, returnedAt] = span;
  return { kind: "append", client: 1, invokedAt, returnedAt, outcome: "ok", keys: [key], indexes: [index] };
}

function lost(invokedAt: number, key: number, outcome: "unknown" | "failed"): AppendOperation {
  const returnedAt = outcome === "failed" ? invokedAt + 1 : Number.POSITIVE_INFINITY;
  return { kind: "append", client: 1, invokedAt, returnedAt, outcome, keys: [key], indexes: [] };
}

function get(span: readonly [number, number], index: number, key: number | undefined): GetOperation {
  return { kind: "get", client: 2, invokedAt: span[0], returnedAt: span[1], outcome: "ok", index, key };
}

function readIndex(span: readonly [number, number], index: number): ReadIndexOperation {
  return { kind: "read-index", client: 3, invokedAt: span[0], returnedAt: span[1], outcome: "ok", index };
}

function tail(
  at: number,
  from: number,
  next: number,
  entries: Readonly<Record<number, number>>,
): TailOperation {
  const indexes = Object.keys(entries).map(Number);
  return {
    kind: "tail",
    client: 4,
    tail: 0,
    invokedAt: at,
    returnedAt: at,
    outcome: "ok",
    from,
    next,
    indexes,
    keys: Object.values(entries),
  };
}

describe("checkers on the clients' history", () => {
  describe("append-once", () => {
    it("passes acknowledged appends in their place and unknown ones on either side", () => {
      const log = [internalKey, 7, 8, 9];
      const done = history(
        append([0, 1], 7, 1),
        lost(2, 8, "unknown"),
        append([3, 4], 9, 3),
        lost(5, 10, "unknown"),
      );
      expect(appendOnceFlaw(done, log)).to.equal(undefined);
    });

    it("fails on an acknowledged append that is missing or elsewhere", () => {
      expect(appendOnceFlaw(history(append([0, 1], 7, 0)), [])?.explanation).to.contain("nowhere");
      expect(appendOnceFlaw(history(append([0, 1], 7, 0)), [internalKey, 7])?.message).to.contain("index 0");
    });

    it("fails on a second copy, even of an append whose outcome is unknown", () => {
      expect(appendOnceFlaw(history(lost(0, 7, "unknown")), [7, 7])?.message).to.contain("twice");
    });

    it("fails on an append that was refused for certain and landed", () => {
      expect(appendOnceFlaw(history(lost(0, 7, "failed")), [7])?.message).to.contain("was refused");
      expect(appendOnceFlaw(history(lost(0, 7, "failed")), [])).to.equal(undefined);
    });

    it("fails on what no client appended", () => {
      expect(appendOnceFlaw(history(), [7])?.message).to.contain("no client appended");
      expect(appendOnceFlaw(history(), [foreignKey])?.explanation).to.contain("bytes that no client wrote");
    });

    it("checks each entry of a batch, consecutive or not", () => {
      const batch: AppendOperation = { ...append([0, 1], 7, 1), keys: [7, 8], indexes: [1, 3] };
      expect(appendOnceFlaw(history(batch), [internalKey, 7, internalKey, 8])).to.equal(undefined);
      expect(appendOnceFlaw(history(batch), [internalKey, 7, 8])).to.not.equal(undefined);
    });
  });

  describe("tail-integrity", () => {
    const log = [internalKey, 7, 8, internalKey, 9];

    it("passes answers that follow each other and leave out internal entries", () => {
      expect(
        tailFlaw(history(tail(1, 0, 2, { 1: 7 }), tail(2, 2, 4, { 2: 8 }), tail(3, 4, 5, { 4: 9 })), log),
      ).to.equal(undefined);
    });

    it("fails on a gap within an answer and between two", () => {
      expect(tailFlaw(history(tail(1, 0, 5, { 1: 7, 4: 9 })), log)?.message).to.contain("left out index 2");
      expect(tailFlaw(history(tail(1, 0, 2, { 1: 7 }), tail(2, 4, 5, { 4: 9 })), log)?.message).to.contain(
        "began at 4",
      );
    });

    it("fails on an entry given twice, out of order, internal, or with other content", () => {
      const twice: TailOperation = { ...tail(1, 1, 3, {}), indexes: [1, 1, 2], keys: [7, 7, 8] };
      expect(tailFlaw(history(twice), log)).to.not.equal(undefined);
      const swapped: TailOperation = { ...tail(1, 1, 3, {}), indexes: [2, 1], keys: [8, 7] };
      expect(tailFlaw(history(swapped), log)).to.not.equal(undefined);
      expect(tailFlaw(history(tail(1, 2, 4, { 2: 8, 3: internalKey })), log)).to.not.equal(undefined);
      expect(tailFlaw(history(tail(1, 1, 2, { 1: 8 })), log)?.message).to.contain("c0#8");
    });

    it("fails on entries beyond the final log, and on going back", () => {
      expect(tailFlaw(history(tail(1, 4, 6, { 4: 9, 5: 10 })), log)?.message).to.contain("passed the end");
      expect(tailFlaw(history(tail(1, 4, 2, {})), log)?.message).to.contain("moved back");
    });
  });

  describe("linearizable-log", () => {
    it("passes operations that overlap in any order", () => {
      const done = history(
        append([0, 10], 7, 1),
        append([0, 10], 8, 0),
        readIndex([5, 9], 0),
        get([3, 4], 1, undefined),
      );
      expect(linearizableFlaw(done, [8, 7])).to.equal(undefined);
    });

    it("fails on a read-index behind an acknowledged append, and names the two operations", () => {
      const flaw = linearizableFlaw(history(append([0, 5], 7, 0), readIndex([6, 8], -1)), [7]);
      expect(flaw?.explanation).to.equal(
        "client 1 appended c0#7 at 0 (0..5 us), so index 0 was there by then. " +
          "client 3 asked how far the log is committed and was told -1 (6..8 us), after that, " +
          "and yet index 0 was not there before it began.",
      );
    });

    it("fails on a get that finds nothing where a tail has seen an entry", () => {
      const done = history(tail(5, 0, 1, { 0: 7 }), get([6, 8], 0, undefined), lost(0, 7, "unknown"));
      expect(linearizableFlaw(done, [7])).to.not.equal(undefined);
    });

    it("fails on two appends whose order in the log is against real time", () => {
      expect(
        linearizableFlaw(history(append([0, 5], 7, 1), append([6, 8], 8, 0)), [8, 7])?.explanation,
      ).to.contain("order of the log");
    });

    it("fails on content that the log does not hold, and on an index beyond its end", () => {
      expect(linearizableFlaw(history(get([0, 1], 0, 8)), [7])?.message).to.contain("c0#8");
      expect(linearizableFlaw(history(get([0, 1], 1, 8)), [7])?.message).to.contain("ends at 0");
    });

    it("agrees with a search through all orders on random small histories", () => {
      let refused = 0;
      void fc.assert(
        fc.property(smallHistory, ({ done, log }) => {
          const flaw = linearizableFlaw(done, log);
          if (flaw !== undefined) refused += 1;
          expect(flaw === undefined).to.equal(someOrderExplains(done.operations, log));
        }),
        { numRuns: 4_000 },
      );
      expect(refused).to.be.within(400, 3_600);
    });
  });

  describe("sound-refusal", () => {
    const second = 1_000_000;
    const refused = (invokedAt: number, at: number, ...codes: readonly string[]): AppendOperation => ({
      ...lost(invokedAt, 1, "unknown"),
      refusal: { at, codes },
    });
    const crowd = { client: 1, at: 5, underWay: 6, room: 6, until: 9 };

    it("passes what a client is told in an outage, and one that was full for a while", () => {
      const log = history(lost(1, 1, "failed"), refused(2, 3, "outcome-unknown", "session-expired"));
      expect(refusalFlaw({ ...log, crowds: [crowd] }, 10 * second)).to.equal(undefined);
      expect(refusalFlaw(history(refused(0, 10 * second, "timeout")), second)).to.equal(undefined);
    });

    it("fails on what a client within its limits is never told, also as the cause of something else", () => {
      for (const codes of [["sequence-too-old"], ["outcome-unknown", "sequence-too-old"]]) {
        expect(refusalFlaw(history(refused(2, 3, ...codes)), 10)?.message).to.contain("sequence-too-old");
      }
    });

    it("fails on an append that is given up though others got through for long, once all is healed", () => {
      const others = append([2 * second, 3 * second], 2, 0);
      const flawAt = (at: number): Flaw | undefined =>
        refusalFlaw(history(refused(1, at, "timeout"), others), second);
      expect(flawAt(7 * second)).to.equal(undefined);
      expect(flawAt(9 * second)?.message).to.contain("given up, 6000000 us after");
      expect(refusalFlaw(history(refused(1, 9 * second, "timeout"), others), 3 * second)).to.equal(undefined);
    });

    it("fails on a client without room for fewer than it takes, and on one never told of room again", () => {
      const full = (changed: Partial<Crowd>): History => ({
        ...history(),
        crowds: [{ ...crowd, ...changed }],
      });
      expect(refusalFlaw(full({ underWay: 5 }), 0)?.message).to.contain("had no room");
      expect(refusalFlaw(full({ until: Number.POSITIVE_INFINITY }), 0)?.message).to.contain("never told");
    });
  });

  describe("payloads", () => {
    it("are told by their key, and by nothing else than all their bytes", () => {
      void fc.assert(
        fc.property(
          fc.nat(99),
          fc.nat(),
          fc.integer({ min: 0, max: 90 }),
          fc.nat(),
          (client, count, bytes, at) => {
            const key = payloadKeyOf(client, count);
            const body = encodePayload(key, bytes);
            expect(decodePayload(body)).to.equal(key);
            expect(payloadName(key)).to.equal(`c${client}#${count}`);
            expect(decodePayload(body.slice(0, -1))).to.equal(foreignKey);
            const place = at % body.length;
            body[place] = (body[place] as number) ^ 16;
            expect(decodePayload(body)).to.not.equal(key);
          },
        ),
      );
    });
  });
});

/** A log of up to four entries, and appends, gets and read-indexes with small random times that mostly fit it. */
const smallHistory = fc
  .tuple(
    fc.array(fc.boolean(), { minLength: 0, maxLength: 4 }),
    fc.array(fc.tuple(fc.nat(3), fc.nat(5), fc.nat(12), fc.nat(6), fc.boolean()), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([internal, calls]) => {
    const log = internal.map((is, index) => (is ? internalKey : 100 + index));
    const appended = new Set<number>();
    const operations: Operation[] = [];
    for (const [kind, place, at, length, known] of calls) {
      const span = [at, at + length] as const;
      const index = log.length === 0 ? 0 : place % log.length;
      const key = log[index] ?? internalKey;
      if (kind <= 1 && key !== internalKey && !appended.has(key)) {
        appended.add(key);
        operations.push(known ? append(span, key, index) : lost(at, key, "unknown"));
      } else if (kind === 2) operations.push(readIndex(span, (place % (log.length + 1)) - 1));
      else operations.push(get(span, place, known && place < log.length ? log[place] : undefined));
    }
    return { done: history(...operations), log };
  })
  .filter(({ done }) =>
    done.operations.every((operation) => operation.kind !== "get" || operation.key !== internalKey),
  );

/**
 * Whether the log's entries and the reads can be put into one order that agrees with real time: an interleaving is tried
 * entry by entry, each read standing between two entries. Written without any idea of windows.
 */
function someOrderExplains(operations: readonly Operation[], log: readonly number[]): boolean {
  interface Step {
    readonly from: number;
    readonly to: number;
    readonly entry: number;
    readonly fits: (entries: number) => boolean;
  }
  const steps: Step[] = log.map((key, index): Step => {
    const by = operations.find((operation) => operation.kind === "append" && operation.keys.includes(key));
    const fits = (entries: number): boolean => entries === index;
    return { from: by?.invokedAt ?? -1, to: by?.returnedAt ?? Number.POSITIVE_INFINITY, entry: index, fits };
  });
  for (const operation of operations) {
    const span = { from: operation.invokedAt, to: operation.returnedAt, entry: -1 };
    if (operation.kind === "read-index")
      steps.push({ ...span, fits: (entries) => entries === operation.index + 1 });
    else if (operation.kind === "get") {
      const { index, key } = operation;
      steps.push({ ...span, fits: (entries) => (key === undefined ? entries <= index : entries > index) });
    }
  }
  const search = (left: readonly Step[], entries: number): boolean => {
    if (left.length === 0) return true;
    return left.some((step) => {
      // A step may be next only if no other one that is left had returned before it was invoked.
      if (left.some((other) => other.to < step.from) || !step.fits(entries)) return false;
      return search(
        left.filter((other) => other !== step),
        step.entry >= 0 ? entries + 1 : entries,
      );
    });
  };
  return search(steps, 0);
}
