import { expect } from "chai";
import { groupId, nodeId } from "#core/base/brand";
import type { Intake, Standing } from "#core/io/trace";
import type { StatusParts } from "#core/node/status";
import { groupStatus } from "#core/node/status";

describe("status of a group", () => {
  const told = (intake: Intake | undefined, standing: Standing = "member") => {
    const view = intake && { role: "follower", term: 1, leader: "", commitIndex: 3, lastIndex: 3, intake };
    const status = groupStatus({
      node: nodeId("n0"),
      processId: 0,
      group: groupId("g"),
      voters: [nodeId("n0")],
      standing,
      reason: "",
      waitingFor: [],
      cluster: "",
      incarnation: "",
      view: view as StatusParts["view"],
      appliedIndex: 3,
      pendingAppends: 0,
      pendingReads: 0,
      waitingTails: 0,
      sessions: 0,
    });
    return { readOnly: status.readOnly, intake: status.intake, standing: status.standing };
  };

  it("calls a node read-only where an operator wants it so, and neither on a full disk nor on a failed one", () => {
    expect(told("open")).to.include({ readOnly: false, intake: "open" });
    expect(told("read-only")).to.include({ readOnly: true, intake: "read-only" });
    expect(told("full")).to.include({ readOnly: false, intake: "full" });
    expect(told("open", "failed")).to.include({ readOnly: false, intake: "open", standing: "failed" });
    expect(told(undefined)).to.include({ readOnly: false, intake: "open" });
  });
});
