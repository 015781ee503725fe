import fc from "fast-check";
import type { GroupId, NodeId } from "#core/base/brand";
import { groupId, nodeId } from "#core/base/brand";
import type { Entry, LogEnd } from "#core/base/entry";
import { emptyLogEnd, encodeEntries } from "#core/base/entry";

export const u32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff_ffff });
/** Small ones mostly, and any that eight bytes may hold. */
export const u53: fc.Arbitrary<number> = fc.oneof(fc.nat(1_000), fc.maxSafeNat());
export const index: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -1, max: 1_000 }),
  fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER - 1 }),
);
export const node: fc.Arbitrary<NodeId> = fc.constantFrom("n0", "n1", "Node_3.x").map(nodeId);
export const group: fc.Arbitrary<GroupId> = fc.constantFrom("g0", "orders-eu").map(groupId);

export function hex(digits: number): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: digits, maxLength: digits })
    .map((all) => all.join(""));
}

/** An end that another record may still follow. */
export const logEnd: fc.Arbitrary<LogEnd> = fc.oneof(
  fc.constant(emptyLogEnd),
  fc.record({ index: fc.nat(), term: fc.nat(), chainCrc: u32, pos: fc.nat() }),
);

const body = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 600 }));

/** Records that chain from an end. */
export const chained: fc.Arbitrary<{ readonly end: LogEnd; readonly entries: readonly Entry[] }> = fc
  .record({
    end: logEnd,
    more: fc.nat(3),
    contents: fc.array(
      fc.record({
        kind: fc.constantFrom(
          "data" as const,
          "no-op" as const,
          "configuration" as const,
          "session" as const,
        ),
        body,
        session: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 40 })),
        sequence: fc.nat(),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  })
  .map(({ end, more, contents }) => ({ end, entries: encodeEntries(end, end.term + more, contents) }));
