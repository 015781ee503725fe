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

  it("options of another type are refused where they are given, and not in some callback", async () => {
    const wrong: readonly [options: unknown, told: RegExp][] = [
      [null, /^bad-configuration: options is null; allowed: an object/],
      ["n0-a:1", /options is of type String/],
      [{ name: 5 }, /name is of type Number; allowed: a string/],
      [{ peers: 5 }, /peers is of type Number/],
      [{ group: 5 }, /group is of type Number/],
      [{ cluster: {} }, /cluster is of type Object/],
      [{ sessions: "no" }, /sessions is "no"; allowed: true or false/],
      [{ tls: {} }, /tls\.ca is undefined; allowed: the path of a PEM file, or its bytes/],
      [{ tls: null }, /tls is null/],
      [{ tls: { ca: "ca.pem", cert: 5 } }, /tls\.cert is of type Number/],
    ];
    for (const [options, told] of wrong)
      expect(await faultOf(async () => new LogClient(anything(options)))).to.match(told);
    const calls: readonly ((options: never) => Promise<unknown>)[] = [
      (options) => client.append("x", options),
      (options) => client.appendBatch(["x"], options),
      (options) => client.get(1, options),
      (options) => client.readIndex(options),
      (options) => client.status("n0", options),
      (options) => client.transfer("n0", options),
      (options) => client.setReadOnly("n0", true, options),
      (options) => client.tail(options).next(),
    ];
    for (const call of calls) {
      expect(await faultOf(() => call(anything(null)))).to.match(/^bad-configuration: options is null/);
      expect(await faultOf(() => call(anything({ signal: {} })))).to.match(
        /^bad-configuration: signal is of type Object; allowed: an AbortSignal/,
      );
    }
  });

  it("text that UTF-8 cannot hold is refused, and not stored as something else", async () => {
    for (const text of ["\ud800", "a\udc00b"]) {
      const fault = await faultOf(() => client.append(text));
      expect(fault).to.match(/^bad-configuration: an entry is text with a lone surrogate/);
      expect(await faultOf(() => client.appendBatch(["good", text]))).to.equal(fault);
    }
  });
});
