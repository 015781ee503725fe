import { expect } from "chai";
import { dataFields, entryJson, entryLine, statusTable, unreachableRow } from "#cli/log-output";
import { nodeId } from "#core/base/brand";
import { visible } from "#prod/visible";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("what `quorumlog log` prints", () => {
  it("shows text as it is, and other bytes in base64, marked as such", () => {
    expect(dataFields(text("grüße"))).to.deep.equal({ data: "grüße" });
    expect(dataFields(text("\ufeffmark"))).to.deep.equal({ data: "\ufeffmark" });
    expect(dataFields(Uint8Array.of(0xff, 0x00))).to.deep.equal({ data: "/wA=", encoding: "base64" });
    expect(dataFields(new Uint8Array())).to.deep.equal({ data: "" });
  });

  it("prints an entry on one line, whatever is in it", () => {
    const entry = { index: 7, term: 2, data: text('two\nlines "quoted"') };
    expect(entryJson(entry)).to.equal('{"index":7,"term":2,"data":"two\\nlines \\"quoted\\""}');
    expect(entryLine(entry)).to.equal('       7  term 2  two\\nlines "quoted"');
  });

  it("never sends control characters of an entry to a terminal", () => {
    expect(visible("\u001b[31mred\u0007\u009b1m\u202eabc\u2028")).to.equal(
      "\\u001b[31mred\\u0007\\u009b1m\\u202eabc\\u2028",
    );
    expect(visible("tab\tand ünïcode 日本")).to.equal("tab\\tand ünïcode 日本");
  });

  it("shows nodes that answer, nodes that do not, and what keeps one from taking part", () => {
    const healthy = {
      term: 3,
      commitIndex: 9,
      lastIndex: 9,
      chainCrc: 0xab,
      lag: 0,
      readOnly: false,
      intake: "open" as const,
      pid: 5,
    };
    const table = statusTable({
      group: "g",
      leader: null,
      nodes: [
        { id: nodeId("n0"), role: "follower", ...healthy },
        { id: nodeId("n1"), role: "follower", ...healthy, intake: "full", standing: "wiped" },
        unreachableRow("n2", "refused"),
      ],
    });
    const [title, head, ...rows] = table.split("\n");
    expect(title).to.equal("group g, leader unknown");
    expect(head).to.match(/^node +role +term +commit +last +chain crc +lag +intake +pid$/);
    expect(rows[0]).to.match(/^n0 +follower +3 +9 +9 +000000ab +0 +open +5$/);
    expect(rows[1]).to.match(/^n1 +follower \(wiped\) +3 .* full +5$/);
    expect(rows[2]).to.match(/^n2 +unreachable$/);
  });

  it("has every key of a status for a node that cannot be reached, null where nothing is known", () => {
    expect(unreachableRow("n2", "refused")).to.deep.equal({
      id: "n2",
      role: "unreachable",
      term: null,
      commitIndex: null,
      lastIndex: null,
      chainCrc: null,
      lag: null,
      readOnly: null,
      intake: null,
      pid: null,
      error: "refused",
    });
  });
});
