import { expect } from "chai";
import fc from "fast-check";
import type { Effect } from "#core/raft/event";
import type { Member } from "../../support/raft-network.ts";
import { RaftNetwork } from "../../support/raft-network.ts";

/** A group under chance: every number of `script` decides one thing that happens next. */
class Chaos {
  readonly network: RaftNetwork;
  private readonly cut = new Set<string>();
  private proposals = 0;
  private requests = 0;
  /** What was committed anywhere when a read was asked for. */
  private readonly reads = new Map<number, number>();
  answeredReads = 0;
  crashes = 0;

  constructor(voters: number, salt: number) {
    this.network = new RaftNetwork(voters, {
      draw: (member, key) => (Math.imul(salt + member * 97 + key * 31 + 1, 0x9e3779b1) >>> 3) >>> 0,
      config: {
        inFlightMessagesMax: 3,
        inFlightBytesMax: 600,
        messageBytesMax: 220,
        messageEntriesMax: 3,
        windowBytesMax: 300,
        windowEntriesMax: 4,
        pendingReadsMax: 8,
      },
    });
    this.network.link = (from, to) => !this.cut.has(`${from}-${to}`);
  }

  private any(choice: number): Member {
    return this.network.member(choice % this.network.members.length);
  }

  act(kind: number, choice: number): void {
    const { network } = this;
    const member = this.any(choice);
    const packets = network.packets.length;
    if (kind < 40) network.deliver(kind < 30 ? 0 : choice % Math.max(1, packets));
    else if (kind < 60) network.diskStep(member);
    else if (kind < 64) network.packets.splice(choice % Math.max(1, packets), 1);
    else if (kind < 68) this.duplicate(choice);
    else if (kind < 78) this.propose(choice);
    else if (kind < 88) this.pass(network.deadline - network.now);
    else if (kind < 90) this.pass(choice % 40_000);
    else if (kind < 92) this.crash(member, choice);
    else if (kind < 95) this.restart();
    else if (kind < 96) this.cut.add(`n${choice % 7}-n${(choice >>> 3) % 7}`);
    else if (kind < 97) this.cut.clear();
    else if (kind < 98) this.transfer(choice);
    else if (kind < 99) this.read(member);
    else this.hint(member, choice);
    this.collect();
  }

  private duplicate(choice: number): void {
    const packet = this.network.packets[choice % Math.max(1, this.network.packets.length)];
    if (packet !== undefined) this.network.packets.push(packet);
  }

  private propose(choice: number): void {
    const leaders = this.network.members.filter((member) => member.role === "leader");
    const leader = leaders[choice % Math.max(1, leaders.length)];
    if (leader === undefined) return;
    this.proposals += 1;
    const texts = Array.from({ length: 1 + (choice % 4) }, (_, i) => `${this.proposals}.${i}`);
    this.network.propose(leader, ...texts);
  }

  private pass(micros: number): void {
    if (!Number.isFinite(micros)) return;
    this.network.now += Math.max(0, micros);
    this.network.tickDue();
  }

  private crash(member: Member, choice: number): void {
    if (!member.up) return;
    this.crashes += 1;
    this.network.crash(member, choice % (member.disk.length + 1));
  }

  private restart(): void {
    const down = this.network.members.find((member) => !member.up);
    if (down !== undefined) this.network.restart(down);
  }

  private transfer(choice: number): void {
    const { leader, now } = this.network;
    if (leader === undefined) return;
    this.requests += 1;
    const to = this.any(choice).id;
    this.network.step(leader, { type: "transfer", now, request: this.requests, to });
  }

  private read(member: Member): void {
    if (!member.up) return;
    this.requests += 1;
    this.reads.set(this.requests, this.network.committed.length - 1);
    this.network.step(member, { type: "read", now: this.network.now, request: this.requests });
  }

  private hint(member: Member, choice: number): void {
    const peer = this.any(choice >>> 4);
    if (!member.up || peer === member) return;
    const type = choice % 2 === 0 ? "peer-lost" : "peer-up";
    this.network.step(member, { type, now: this.network.now, peer: peer.id });
  }

  private collect(): void {
    for (const member of this.network.members) {
      if (member.answers.length === 0) continue;
      for (const answer of member.answers) this.check(answer);
      member.answers = [];
    }
  }

  private check(answer: Effect): void {
    if (answer.type !== "read-ready") return;
    this.answeredReads += 1;
    const before = this.reads.get(answer.request) as number;
    if (answer.index < before)
      throw new Error(`a read at ${answer.index} misses entry ${before}, committed before it`);
  }

  /** The faults stop: the group must recover by itself. */
  heal(): Member {
    const { network } = this;
    this.cut.clear();
    for (const member of network.members) if (!member.up) network.restart(member);
    const leader = network.elect(10_000_000);
    network.advance(1_000_000);
    this.collect();
    return leader;
  }
}

const scripts = fc.record({
  voters: fc.constantFrom(1, 2, 3, 3, 3, 5, 5, 7),
  salt: fc.nat(1 << 20),
  script: fc.array(fc.tuple(fc.nat(99), fc.nat(1 << 20)), { minLength: 200, maxLength: 1_200, size: "max" }),
});

describe("a Raft group under loss, doubling, reordering, partitions and crashes", () => {
  it("keeps every property of figure 3, answers only linearizable reads, and recovers once the faults stop", () => {
    let crashes = 0;
    let reads = 0;
    let committed = 0;
    const property = fc.property(scripts, ({ voters, salt, script }) => {
      const chaos = new Chaos(voters, salt);
      chaos.network.elect();
      for (const [kind, choice] of script) chaos.act(kind, choice);
      chaos.network.checkLogMatching();
      const leader = chaos.heal();
      const { network } = chaos;
      const at = leader.log.length;
      network.propose(network.leader ?? leader, "after");
      network.advance(1_000_000);
      for (const member of network.members) {
        expect(member.commitIndex, `${member.id} follows after the faults`).to.be.at.least(at);
        expect(member.durable.length).to.be.greaterThan(at);
      }
      network.checkLogMatching();
      crashes += chaos.crashes;
      reads += chaos.answeredReads;
      committed += network.committed.length;
    });
    fc.assert(property, { numRuns: 6000 });
    // The runs were worth something.
    expect(crashes).to.be.greaterThan(60);
    expect(reads).to.be.greaterThan(60);
    expect(committed).to.be.greaterThan(1_000);
  }).timeout(100_000);
});
