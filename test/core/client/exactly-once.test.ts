import { expect } from "chai";
import fc from "fast-check";
import { nodeId } from "#core/base/brand";
import type { LogError } from "#core/base/errors";
import { millisecond, second } from "#core/base/units";
import type { AppendResult, CancelHandle } from "#core/client/client";
import { Client } from "#core/client/client";
import { clientConfig } from "#core/client/client-config";
import { defaultCommitLogLimits } from "#core/commitlog/limits";
import { bytes } from "../commitlog/log-builder.ts";
import { FakeClock, FakeNetwork, fakeRandom } from "./fake-world.ts";
import { ModelCluster } from "./model-cluster.ts";
import { addressOf, group } from "./scripted-node.ts";

const limits = { ...defaultCommitLogLimits, sessionsMax: 2, inFlightMax: 12, appendEntriesMax: 4 };

interface Call {
  readonly client: number;
  readonly texts: readonly string[];
  handle: CancelHandle | undefined;
  told: number;
  error: LogError | undefined;
  value: AppendResult | undefined;
}

type Step =
  | { readonly kind: "append"; readonly client: number; readonly count: number; readonly timeoutMs: number }
  | { readonly kind: "run"; readonly ms: number }
  | { readonly kind: "elect"; readonly node: number; readonly kept: number }
  | { readonly kind: "depose" }
  | { readonly kind: "commit"; readonly entries: number }
  | { readonly kind: "reset"; readonly pick: number; readonly lingers: boolean }
  | { readonly kind: "refuse"; readonly count: number }
  | { readonly kind: "stray"; readonly count: number }
  | { readonly kind: "cancel"; readonly pick: number }
  | { readonly kind: "delay"; readonly ms: number };

const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.WeightedArbitrary<T> => ({
  weight,
  arbitrary,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  weighted(
    8,
    fc.record({
      kind: fc.constant("append" as const),
      client: fc.nat(1),
      count: fc.integer({ min: 1, max: 4 }),
      timeoutMs: fc.constantFrom(30, 300, 3_000, 20_000),
    }),
  ),
  weighted(8, fc.record({ kind: fc.constant("run" as const), ms: fc.constantFrom(1, 2, 5, 30, 400) })),
  weighted(3, fc.record({ kind: fc.constant("elect" as const), node: fc.nat(2), kept: fc.nat(5) })),
  weighted(1, fc.record({ kind: fc.constant("depose" as const) })),
  weighted(6, fc.record({ kind: fc.constant("commit" as const), entries: fc.integer({ min: 1, max: 6 }) })),
  weighted(3, fc.record({ kind: fc.constant("reset" as const), pick: fc.nat(5), lingers: fc.boolean() })),
  weighted(2, fc.record({ kind: fc.constant("refuse" as const), count: fc.constantFrom(1, 1, 2, 9) })),
  weighted(3, fc.record({ kind: fc.constant("stray" as const), count: fc.integer({ min: 1, max: 3 }) })),
  weighted(1, fc.record({ kind: fc.constant("cancel" as const), pick: fc.nat(40) })),
  weighted(1, fc.record({ kind: fc.constant("delay" as const), ms: fc.constantFrom(0, 0, 1, 20) })),
);

class Run {
  readonly clock = new FakeClock();
  readonly network = new FakeNetwork(this.clock);
  readonly cluster = new ModelCluster(this.network, 3, limits);
  readonly calls: Call[] = [];
  readonly clients: Client[];
  private serial = 0;

  constructor(sessions: boolean, seed: number) {
    const peers = [0, 1, 2].map((i) => ({ node: nodeId(`n${i}`), address: addressOf(`n${i}`) }));
    const config = clientConfig({
      group,
      peers,
      sessions,
      inFlightMax: 12,
      appendEntriesMax: 4,
      requestTimeout: second,
      keepaliveInterval: 100 * second,
      keepaliveBusyInterval: 100 * second,
    });
    this.clients = [0, 1].map(
      (i) => new Client(config, { clock: this.clock, network: this.network, random: fakeRandom(seed + i) }),
    );
  }

  take(s: Step): void {
    switch (s.kind) {
      case "append":
        this.append(s.client, s.count, s.timeoutMs * millisecond);
        return;
      case "run":
        this.clock.run(s.ms * millisecond);
        return;
      case "elect":
        this.cluster.elect(s.node, s.kept);
        return;
      case "depose":
        this.cluster.depose();
        return;
      case "commit":
        this.cluster.commit(s.entries);
        return;
      case "reset": {
        const links = [...this.network.links];
        const link = links[s.pick % Math.max(1, links.length)];
        if (link !== undefined) link.lingers = s.lingers;
        link?.reset();
        return;
      }
      case "refuse":
        this.cluster.refusals = s.count;
        return;
      case "stray":
        for (let i = 0; i < s.count; i++) this.cluster.openStray();
        return;
      case "cancel":
        this.calls[s.pick]?.handle?.cancel();
        return;
      case "delay":
        this.network.delay = s.ms * millisecond;
    }
  }

  private append(client: number, count: number, timeout: number): void {
    const texts = Array.from({ length: count }, () => `c${client} #${this.serial++}`);
    const call: Call = { client, texts, handle: undefined, told: 0, error: undefined, value: undefined };
    this.calls.push(call);
    call.handle = (this.clients[client] as Client).append(texts.map(bytes), { timeout }, (error, value) => {
      call.told += 1;
      if (error === undefined) call.value = value;
      else call.error = error as LogError;
    });
  }

  /** A leader that takes and commits everything, for longer than any deadline. */
  heal(): void {
    this.cluster.refusals = 0;
    this.network.delay = 0;
    this.cluster.elect(1, 2);
    for (let i = 0; i < 120; i++) {
      this.cluster.commit(Number.MAX_SAFE_INTEGER);
      this.clock.run(200 * millisecond);
    }
  }
}

function play(steps: readonly Step[], sessions: boolean, seed: number): Run {
  const run = new Run(sessions, seed);
  run.cluster.elect(0, 0);
  for (const s of steps) run.take(s);
  run.heal();
  return run;
}

function indexesByText(run: Run): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [index, text] of run.cluster.texts()) found.set(text, [...(found.get(text) ?? []), index]);
  return found;
}

const history = fc.array(step, { minLength: 20, maxLength: 90 });

describe("client appends over any history of leaders, connections and sessions", () => {
  it("tells each call once, and of each acknowledged entry the one place where it is", () => {
    fc.assert(
      fc.property(history, fc.boolean(), fc.nat(1_000), (steps, sessions, seed) => {
        const run = play(steps, sessions, seed);
        const places = indexesByText(run);
        for (const { told, value, error, texts } of run.calls) {
          expect(told, texts[0]).to.equal(1);
          if (value !== undefined) {
            expect(texts.map((text) => places.get(text))).to.deep.equal(
              value.indexes.map((index) => [index]),
            );
            const last = run.cluster.log.entries[value.indexes.at(-1) as number];
            expect(value.term).to.equal(last?.term);
          } else expect(error?.code).to.be.oneOf(["timeout", "cancelled", "outcome-unknown"]);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("lands no entry twice, and none of which it said that nothing happened", () => {
    fc.assert(
      fc.property(history, fc.boolean(), fc.nat(1_000), (steps, sessions, seed) => {
        const run = play(steps, sessions, seed);
        const places = indexesByText(run);
        for (const [text, indexes] of places) expect(indexes, text).to.have.lengthOf(1);
        for (const { error, texts } of run.calls) {
          if (error === undefined || error.code === "outcome-unknown") continue;
          for (const text of texts) expect(places.get(text), `${error.code} of ${text}`).to.equal(undefined);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("keeps the order of the calls of one client, by its sessions", () => {
    fc.assert(
      fc.property(history, fc.nat(1_000), (steps, seed) => {
        const run = play(steps, true, seed);
        for (const client of [0, 1]) {
          const indexes = run.calls
            .filter((call) => call.client === client)
            .flatMap((call) => call.value?.indexes ?? []);
          expect(indexes).to.deep.equal([...indexes].sort((a, b) => a - b));
        }
      }),
      { numRuns: 300 },
    );
  });
});
