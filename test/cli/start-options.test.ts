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

  it("a variable that says which node it is starts that one, as the flag does", () => {
    const single = (args: readonly string[], env: Record<string, string> = {}): boolean | number => {
      const parsed = parseStart(args, env);
      return typeof parsed === "number" ? parsed : parsed.single;
    };
    expect(single([])).to.equal(false);
    expect(single([], { QUORUMLOG_SELF_ID: "n1" })).to.equal(true);
    expect(single(["--self-id", "n1"])).to.equal(true);
    expect(single(["--config", "n1.conf"])).to.equal(true);
    expect(single(["--base-port", "50911"], { QUORUMLOG_SELF_ID: "n1" })).to.equal(64);
    // Each of three has a certificate of its own.
    expect(single(["--tls-cert", "n1.pem"])).to.equal(64);
    expect(single(["--tls-cert", "n1.pem", "--self-id", "n1"])).to.equal(true);
  });
});
