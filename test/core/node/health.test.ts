import { expect } from "chai";
import { makeEntries } from "#bench/storage/log-script";
import { groupId, nodeId } from "#core/base/brand";
import type { LogEnd } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import { Health } from "#core/node/health";
import type { NodePorts } from "#core/node/ports";
import type { HoleEnds } from "#core/storage/log-store";

const entries = makeEntries(emptyLogEnd, 1, [10, 10, 10, 10, 10, 10]);
const endAt = (index: number): LogEnd => endOf(entries[index] as (typeof entries)[number]);

/** The health of a node whose log has two holes, 1..2 and 4, and a peer that has copies for the first only. */
class Patient {
  readonly health: Health;
  /** Indexes and terms that it told Raft. */
  readonly learned: [number, number][] = [];
  private holes: HoleEnds[] = [
    { before: endAt(0), after: endAt(2) },
    { before: endAt(3), after: endAt(4) },
  ];
  private readonly timers: (() => void)[] = [];

  constructor() {
    const clock = {
      monotonic: () => 0,
      at: (_at: number, fire: () => void) => {
        this.timers.push(fire);
        return { cancel: () => undefined };
      },
    };
    this.health = new Health({
      node: nodeId("n0"),
      group: groupId("g"),
      ports: { clock, trace: { emit: () => undefined } } as unknown as NodePorts,
      repairInterval: 1,
      damage: () => this.holes.map(({ before, after }) => ({ first: before.index + 1, last: after.index })),
      active: () => true,
      participate: () => undefined,
      retryReads: () => undefined,
      learn: (records) => {
        for (const { index, term } of records) this.learned.push([index, term]);
      },
      repair: {
        group: groupId("g"),
        others: [nodeId("n1"), nodeId("n2")],
        bytesMax: 1_000,
        send: () => undefined,
        hole: () => this.holes[0],
        mend: (_copies, _upTo, done) => {
          this.holes = this.holes.slice(1);
          done(undefined, true);
        },
      },
    });
    this.health.damageFound({ first: 1, last: 2 });
  }

  /** Time passes, one interval of repair. */
  tick(): void {
    for (const fire of this.timers.splice(0)) fire();
  }
}

describe("the health of a node", () => {
  it("tells the terms of what was mended while other records are damaged: they were bounds before", () => {
    const patient = new Patient();
    patient.tick();
    expect(patient.learned).to.deep.equal([]);
    patient.health.repair.received(endAt(0), entries.slice(1, 3));
    expect(patient.learned).to.deep.equal([
      [1, 1],
      [2, 1],
    ]);
    expect(patient.health.standing).to.equal("damaged");
  });
});
