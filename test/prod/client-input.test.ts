import { expect } from "chai";
import { LogError } from "#core/base/errors";
import { EntryCopies } from "#prod/client-input";
import { LogClient } from "#prod/log-client";

/** What a program without types hands in. */
const anything = (value: unknown): never => value as never;

describe("what programs hand to the library", () => {
  // Nobody listens there, and nothing is dialled: each call is refused before.
  const client = new LogClient({ peers: "n0-127.0.0.1:1" });
  after(() => client.close());

  const faultOf = async (call: () => Promise<unknown>): Promise<string> => {
    const error = await call().catch((thrown: unknown) => thrown);
    if (!(error instanceof LogError)) throw new Error(`no LogError: ${String(error)}`);
    expect(error.retry).to.equal("never");
    return `${error.code}: ${error.message}`;
  };

  it("an entry is a string or a Uint8Array, and nothing else that has a length", async () => {
    const wrong: readonly [value: unknown, told: string][] = [
      [undefined, "undefined"],
      [null, "null"],
      [5, "of type Number"],
      [{ length: 3 }, "of type Object"],
      [[1, 2], "of type Array"],
      [new Uint16Array(2), "of type Uint16Array"],
      [new ArrayBuffer(2), "of type ArrayBuffer"],
    ];
    for (const [value, told] of wrong) {
      const fault = `bad-configuration: an entry is ${told}; allowed: a string or a Uint8Array`;
      expect(await faultOf(() => client.append(anything(value)))).to.equal(fault);
      expect(await faultOf(() => client.appendBatch(["good", anything(value)]))).to.equal(fault);
    }
    expect(await faultOf(() => client.appendBatch(anything("text")))).to.match(
      /the entries are of type String/,
    );
  });

  it("what it takes is copied", () => {
    const buffer = Buffer.from("as it was");
    const copies = new EntryCopies();
    const [first] = copies.ofAll([buffer]);
    buffer.fill(0);
    expect(new TextDecoder().decode(first)).to.equal("as it was");
    expect([...copies.of("é")]).to.deep.equal([0xc3, 0xa9]);
    // Small and large ones, over the ends of the pieces that they share.
    const given = Array.from({ length: 200 }, (_, n) => new Uint8Array((n * 977) % 20_000).fill(n));
    const taken = given.map((data) => copies.of(data));
    expect(taken).to.deep.equal(given);
    for (const copy of taken) expect(Object.getPrototypeOf(copy)).to.equal(Uint8Array.prototype);
  });

  it("ids, indexes and times that are none are refused with a code", async () => {
    expect(await faultOf(() => client.transfer("n X"))).to.equal(
      'unknown-node: no node has the id "n X" (allowed: letters, digits, ".", "_")',
    );
    expect(await faultOf(() => client.status("../n0"))).to.match(/^unknown-node/);
    expect(await faultOf(() => client.setReadOnly("", true))).to.match(/^unknown-node/);
    expect(await faultOf(() => client.setReadOnly("n0", anything("false")))).to.match(
      /^bad-configuration: readOnly/,
    );
    expect(await faultOf(() => client.get(-1))).to.match(/^index-out-of-range/);
    for (const timeoutMs of [-1, 0, Number.NaN, anything("1s")]) {
      const told = /^bad-configuration: timeoutMs is .*; it must be above 0/;
      expect(await faultOf(() => client.readIndex({ timeoutMs }))).to.match(told);
      expect(await faultOf(async () => new LogClient({ timeoutMs }))).to.match(told);
    }
    expect(await faultOf(async () => new LogClient({ group: "a/b" }))).to.match(/^bad-configuration: group/);
  });
});
