import { expect } from "chai";
import type { StartRequest } from "#cli/start-options";
import { parseStart } from "#cli/start-options";

describe("the options of quorumlog start", () => {
  const flagsOf = (...args: readonly string[]): StartRequest["flags"] => {
    const parsed = parseStart(args);
    if (typeof parsed === "number") throw new Error(`refused with ${parsed}`);
    return parsed.flags;
  };

  it("a flag that is true or false may stand alone, before others too", () => {
    expect(flagsOf("--readonly")).to.deep.equal({ readOnly: "true" });
    expect(flagsOf("--readonly", "--self-id", "n1")).to.deep.equal({ readOnly: "true", dLegerSelfId: "n1" });
    expect(flagsOf("--config", "n1.conf", "--readonly")).to.deep.equal({ readOnly: "true" });
  });

  it("or be given its value", () => {
    expect(flagsOf("--readonly", "true")).to.deep.equal({ readOnly: "true" });
    expect(flagsOf("--readonly=false")).to.deep.equal({ readOnly: "false" });
    // Wrong ones are told by the configuration, which knows what is allowed.
    expect(flagsOf("--readonly", "perhaps")).to.deep.equal({ readOnly: "perhaps" });
  });
});
