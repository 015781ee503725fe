import type { StoreOptions } from "#core/storage/log-store";
import { smallOptions } from "../../storage/log-script.ts";
import type { MemoryDisk } from "../../storage/memory-disk.ts";
import type { Step } from "./scripted-log.ts";

/** What is crashed at every call: `before` is durable, `then` is under way. */
export interface CrashScript {
  readonly name: string;
  readonly kind: "append" | "roll" | "truncation" | "term change" | "combined";
  readonly options: StoreOptions;
  readonly before: readonly Step[];
  readonly steps: readonly Step[];
  /** Another disk than a sound one, to show that the soak finds what it does wrong. */
  readonly disk?: () => MemoryDisk;
}

const append = (lengths: readonly number[], newTerm = false): Step => ({ do: "append", lengths, newTerm });
const cut = (back: number): Step => ({ do: "truncate", back });
const save = (peers = 0): Step => ({ do: "save", peers });
const mark: Step = { do: "mark" };

const small: StoreOptions = { ...smallOptions, segmentBytes: 8_192 };
/** Every entry in a batch of its own, unless they are tiny. */
const splitting: StoreOptions = { ...small, batchBytesMax: 300 };
const middle: StoreOptions = { ...smallOptions, segmentBytes: 16_384, batchBytesMax: 6_000 };
const large: StoreOptions = {
  ...smallOptions,
  segmentBytes: 65_536,
  batchBytesMax: 32_768,
  readBytesMax: 8_192,
};

type Plan = Omit<CrashScript, "kind" | "options"> & { readonly options?: StoreOptions };

/** Bodies whose record ends in, at and behind the end of a sector: header page, 64 of the batch, 48 of the record. */
const sectorEdges = [400 - 1, 400, 400 + 1, 912, 1_424];

const appends: readonly Plan[] = [
  ...[0, 1, 40, ...sectorEdges, 3_000].map((length) => ({
    name: `the first append, of ${length} bytes`,
    before: [],
    steps: [append([length])],
  })),
  ...[0, 40, 400, 1_500].map((length) => ({
    name: `an append of ${length} bytes behind others`,
    before: [append([100, 200]), mark],
    steps: [append([length])],
  })),
  { name: "a batch of five", before: [append([700])], steps: [append([10, 600, 0, 300, 90])] },
  {
    name: "three batches that wait for each other, and a mark",
    options: splitting,
    before: [append([30])],
    steps: [append([200]), append([250, 20]), append([150, 150]), mark],
  },
  {
    name: "a batch of 6 KiB",
    options: middle,
    before: [append([100])],
    steps: [append([2_000, 1_500, 2_000])],
  },
  {
    name: "a batch of 30 KiB",
    options: large,
    before: [append([100])],
    steps: [append([9_000, 12_000, 9_000])],
  },
];

const rolls: readonly Plan[] = [
  { name: "a roll", before: [append([3_500])], steps: [append([700])] },
  {
    name: "a roll behind a marked end",
    before: [append([3_300]), mark],
    steps: [append([500]), append([900])],
  },
  { name: "two rolls", before: [append([3_400])], steps: [append([3_600]), append([1_200])] },
  {
    name: "a roll to an entry larger than a segment, and on",
    before: [append([3_000])],
    steps: [append([9_000]), append([80])],
  },
  {
    name: "a batch that is split by the segment's end",
    before: [append([2_000])],
    steps: [append([800, 700, 900, 40])],
  },
  {
    name: "a roll of 16 KiB segments",
    options: middle,
    before: [append([5_000, 5_000])],
    steps: [append([4_500])],
  },
];

const truncations: readonly Plan[] = [
  { name: "a cut within a batch", before: [append([100, 400, 300])], steps: [cut(2)] },
  {
    name: "a cut within a batch, and another append",
    before: [append([100, 400, 300])],
    steps: [cut(2), append([20], true)],
  },
  {
    name: "a cut between batches",
    options: splitting,
    before: [append([250]), append([280]), append([270])],
    steps: [cut(2), append([260], true)],
  },
  {
    name: "a cut of everything",
    before: [append([500]), append([900])],
    steps: [cut(2), append([30], true)],
  },
  {
    name: "a cut within one large batch",
    options: middle,
    before: [append([900, 900, 900, 900, 900])],
    steps: [cut(3), append([1_200], true)],
  },
  {
    name: "a cut over a segment",
    before: [append([3_000]), append([3_000])],
    steps: [cut(1), append([40], true)],
  },
  {
    name: "a cut over a segment into a batch",
    before: [append([1_500, 1_400]), append([3_000])],
    steps: [cut(2), append([700], true)],
  },
  {
    name: "a cut over two segments",
    before: [append([300]), append([3_200]), append([3_300]), append([2_500])],
    steps: [cut(3), append([900], true)],
  },
  {
    name: "two cuts that follow each other",
    before: [append([200, 300]), append([400, 100])],
    steps: [cut(1), append([350], true), cut(2), append([60], true)],
  },
  {
    name: "a cut of what is still being written",
    before: [append([90])],
    steps: [append([600]), cut(1), append([500], true)],
  },
];

const termChanges: readonly Plan[] = [
  { name: "a vote", before: [save()], steps: [save()] },
  { name: "three votes that follow each other", before: [], steps: [save(), save(), save()] },
  { name: "two votes whose record spans sectors", before: [save(16)], steps: [save(16), save(16)] },
  { name: "votes whose record grows and shrinks", before: [save(2)], steps: [save(16), save(0), save(9)] },
  { name: "a stage and a vote", before: [save()], steps: [{ do: "stage", stage: "active" }, save()] },
];

const combined: readonly Plan[] = [
  { name: "a vote and an append", before: [append([300])], steps: [save(), append([700], true)] },
  {
    name: "a vote of many peers, and a roll",
    before: [append([3_400]), save(16)],
    steps: [save(16), append([900], true)],
  },
  {
    name: "a new term takes a tail's place",
    before: [append([200, 500]), append([400])],
    steps: [save(), cut(2), append([350, 20], true)],
  },
  {
    name: "a new term takes a segment's place",
    before: [append([2_000, 1_000]), append([3_000])],
    steps: [save(), cut(2), append([1_400], true), save()],
  },
  {
    name: "a roll, a cut back over it, and a roll again",
    before: [append([3_000])],
    steps: [append([2_500]), cut(1), append([2_700], true)],
  },
  {
    name: "a mark, a vote, an append and a stage",
    before: [append([120])],
    steps: [mark, save(), append([420]), { do: "stage", stage: "adopted" }],
  },
];

const of = (kind: CrashScript["kind"], plans: readonly Plan[]): CrashScript[] =>
  plans.map((plan) => ({ options: small, ...plan, kind }));

export const crashScripts: readonly CrashScript[] = [
  ...of("append", appends),
  ...of("roll", rolls),
  ...of("truncation", truncations),
  ...of("term change", termChanges),
  ...of("combined", combined),
];
