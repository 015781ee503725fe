import { expect } from "chai";
import { RaftNetwork } from "../../support/raft-network.ts";

describe("a Raft group in memory", () => {
  for (const voters of [1, 2, 3, 5, 7]) {
    it(`elects, commits and reads with ${voters} voters`, () => {
      const network = new RaftNetwork(voters);
      const leader = network.elect();
      network.propose(leader, "a", "b");
      network.settle();
      for (const member of network.members) {
        expect(member.commitIndex).to.equal(2);
        expect(member.log).to.have.length(3);
      }
      leader.answers = [];
      network.step(leader, { type: "read", now: network.now, request: 7 });
      network.settle();
      expect(leader.answers).to.deep.equal([{ type: "read-ready", request: 7, index: 2 }]);
    });
  }
});
