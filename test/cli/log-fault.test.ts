import { expect } from "chai";
import { faultText } from "#cli/log-fault";
import type { LogRequest } from "#cli/log-options";
import { LogError } from "#core/base/errors";

describe("what `quorumlog log` says of a fault", () => {
  it("sends no control characters of a server to a terminal, as text or as JSON", () => {
    const common = { peers: "n0-a:1", group: "g", timeoutMs: 1, tls: undefined, json: true };
    const request: LogRequest = { ...common, command: "status" };
    const told = faultText(request, new LogError("not-authorised", "one\nt\u202ewo\u001b[31m"));
    expect(told).to.match(/not-authorised\n {2}one\n {2}t\\u202ewo\\u001b\[31m\n {2}/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(told).to.not.match(/[\u001b\u202e]/);
    const last = told.trimEnd().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).to.deep.equal({
      error: { code: "not-authorised", retry: "never", message: "one\nt\u202ewo\u001b[31m" },
    });
  });
});
