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
  reopened = 0;
  asked = 0;
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
      reopen: () => {
        this.reopened += 1;
      },
      repair: {
        group: groupId("g"),
        others: [nodeId("n1"), nodeId("n2")],
        bytesMax: 1_000,
        send: () => {
          this.asked += 1;
        },
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
  it("opens its log anew when no peer has copies of what is left, for the terms of what was mended are guessed", () => {
    const patient = new Patient();
    for (let n = 0; n < 30; n++) patient.tick();
    expect(patient.reopened, "nothing was mended, nothing is to be learned").to.equal(0);
    patient.health.repair.received(endAt(0), entries.slice(1, 3));
    expect(patient.health.standing).to.equal("damaged");
    const { asked } = patient;
    for (let n = 0; patient.reopened === 0 && n < 30; n++) patient.tick();
    expect(patient.reopened).to.equal(1);
    expect(patient.asked - asked, "every peer was asked again before").to.be.at.least(2);
  });
});
