import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { groupId, nodeId } from "#core/base/brand";
import type { TraceEvent } from "#core/io/trace";
import { fanOut, makeLogger, TraceLog } from "#prod/logging";

const at = { node: nodeId("n0"), group: groupId("g") };

describe("the log made from the trace", () => {
  let file: string;
  beforeEach(() => {
    file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-log-")), "log");
  });
  afterEach(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }));

  const linesOf = (events: readonly TraceEvent[], level = "info"): Record<string, unknown>[] => {
    const log = new TraceLog(makeLogger(level, file));
    for (const event of events) log.emit(event);
    const text = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  it("has one line for the first commit of a term that this node leads, and none for the others", () => {
    const leads = (term: number): TraceEvent => {
      return { kind: "role", ...at, term, role: "leader", leader: at.node, lastIndex: 4, reason: "quorum" };
    };
    const commit = (term: number, index: number, leader = true): TraceEvent => {
      return { kind: "commit", ...at, term, index, leader };
    };
    const lines = linesOf([
      commit(1, 3, false),
      leads(2),
      commit(2, 5),
      commit(2, 6),
      { kind: "role", ...at, term: 3, role: "follower", leader: "", lastIndex: 6, reason: "higher-term" },
      commit(3, 7, false),
      leads(4),
      commit(4, 9),
    ]);
    expect(lines.filter(({ kind }) => kind === "commit").map(({ msg }) => msg)).to.deep.equal([
      "leads with everything up to 5 committed in term 2",
      "leads with everything up to 9 committed in term 4",
    ]);
  });

  it("names the client that was disconnected, on one line whatever it calls itself", () => {
    const [line] = linesOf([
      { kind: "client", ...at, name: "a\n", change: "unread", reason: "5 bytes of answers" },
    ]);
    expect(line).to.include({ level: 40, msg: 'disconnected the client "a\\n": 5 bytes of answers' });
  });

  it("has a line for each election, role change, fault and refusal", () => {
    const lines = linesOf([
      { kind: "role", ...at, term: 2, role: "candidate", leader: "", lastIndex: 4, reason: "timeout" },
      {
        kind: "role",
        ...at,
        term: 2,
        role: "follower",
        leader: nodeId("n1"),
        lastIndex: 4,
        reason: "higher-term",
      },
      { kind: "vote", ...at, term: 2, candidate: nodeId("n0") },
      { kind: "disk", ...at, code: "io", operation: "sync" },
      { kind: "damage", ...at, from: 1, to: 2, change: "found" },
      { kind: "standing", ...at, standing: "wiped", reason: "an empty directory" },
      { kind: "refuse", ...at, code: "disk-full", peer: "" },
      { kind: "transfer", ...at, term: 2, to: nodeId("n1"), change: "failed" },
      { kind: "intake", ...at, intake: "read-only", room: 0 },
      { kind: "intake", ...at, intake: "full", room: 0 },
      { kind: "intake", ...at, intake: "open", room: 0 },
    ]);
    expect(lines.map(({ level, msg }) => `${level} ${msg}`)).to.deep.equal([
      "30 candidate in term 2: timeout",
      "30 follower of n1 in term 2: higher-term",
      "30 votes for n0 in term 2",
      "50 disk: sync failed with io",
      "50 records 1 to 2: found",
      "40 is now wiped: an empty directory",
      "40 refused a client: disk-full",
      "40 transfer of leadership to n1: failed",
      "40 is read-only: it takes no appends, and leads only while no writable node can",
      "40 takes no appends: its disk is full but for the reserve",
      "30 takes appends again",
    ]);
    for (const line of lines)
      expect([line["node"], line["group"], line["pid"]]).to.deep.equal(["n0", "g", process.pid]);
  });

  it("has none for an entry and what belongs to it", () => {
    const lines = linesOf(
      [
        { kind: "append", ...at, term: 1, entries: [] },
        { kind: "sync", ...at, index: 1 },
        { kind: "match", ...at, term: 1, index: 1 },
        { kind: "commit", ...at, term: 1, index: 1, leader: true },
        { kind: "apply", ...at, entries: [] },
        { kind: "read", ...at, term: 1, index: 1 },
        { kind: "duplicate", ...at, session: 1, sequence: 1, index: 1 },
        { kind: "hard-state", ...at, term: 1, votedFor: "" },
      ],
      "trace",
    );
    expect(lines).to.deep.equal([]);
  });

  it("does not repeat a refusal a thousand times a second", () => {
    const refusal: TraceEvent = { kind: "refuse", ...at, code: "pending-full", peer: "" };
    const peer: TraceEvent = {
      kind: "peer",
      ...at,
      peer: nodeId("n1"),
      change: "refused",
      reason: "wrong-cluster",
    };
    const lines = linesOf([
      ...Array.from({ length: 500 }, () => refusal),
      ...Array.from({ length: 500 }, () => peer),
    ]);
    expect(lines).to.have.length(2);
  });

  it("does not repeat that it asks for pre-votes, until something else became of it", () => {
    const role = (name: "pre-candidate" | "follower", term: number): TraceEvent => ({
      kind: "role",
      ...at,
      term,
      role: name,
      leader: name === "follower" ? nodeId("n1") : "",
      lastIndex: 4,
      reason: "timeout",
    });
    const asks = Array.from({ length: 100 }, () => role("pre-candidate", 3));
    const lines = linesOf([...asks, role("follower", 3), ...asks, role("pre-candidate", 4)]);
    expect(lines.map(({ role, term }) => `${role} ${term}`)).to.deep.equal([
      "pre-candidate 3",
      "follower 3",
      "pre-candidate 3",
      "pre-candidate 4",
    ]);
  });

  it("reaches every listener, and is detailed when one of them is", () => {
    const heard: string[] = [];
    const listener = (name: string, detailed: boolean) => ({
      detailed,
      emit: (event: TraceEvent) => void heard.push(`${name} ${event.kind}`),
    });
    const both = fanOut([listener("a", false), listener("b", true)]);
    both.emit({ kind: "fault", node: "", fault: "crash", detail: "" });
    expect(both.detailed).to.equal(true);
    expect(fanOut([listener("a", false)]).detailed).to.equal(false);
    expect(heard).to.deep.equal(["a fault", "b fault"]);
  });
});
