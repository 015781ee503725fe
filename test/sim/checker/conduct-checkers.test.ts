import { expect } from "chai";
import type { Entry, EntryContent, LogEnd } from "#core/base/entry";
import { emptyLogEnd, encodeEntries } from "#core/base/entry";
import { second } from "#core/base/units";
import type { Backlog } from "#core/io/trace";
import { simulatedLimits } from "#sim/core-node";
import { encodePayload } from "#sim/history/payload";
import { dataEntries, group, lastOf, nodeOf, noOp, Trace } from "./trace-builder.ts";

const first = noOp(emptyLogEnd, 1);

/** n0 leads term 1, and all three hold and know its no-op. */
function led(): Trace {
  return new Trace()
    .elect(0, 1, [0, 1])
    .replicate([0, 1, 2], 1, first)
    .match(1, 1, 0)
    .match(2, 1, 0)
    .commit(0, 1, 0, true);
}

describe("lawful-campaign", () => {
  const told = (): Trace =>
    new Trace(3, true)
      .campaign(0, 1)
      .elect(0, 1, [0, 1])
      .role(1, 1, "follower")
      .replicate([0, 1, 2], 1, first);

  it("passes a campaign after a question, one by order, and one long after the leader was heard", () => {
    const trace = told()
      .match(1, 1, 0)
      .transfer(0, 1, 1, "sent")
      .role(1, 2, "candidate", "transfer")
      .role(0, 2, "follower")
      .wait(second)
      .role(2, 2, "pre-candidate", "timeout")
      .role(2, 3, "candidate");
    expect(trace.violation).to.equal(undefined);
  });

  it("fails on a term that nobody campaigned in, also when it comes back from the disk", () => {
    expect(told().role(2, 2, "follower").verdict).to.equal("lawful-campaign");
    expect(told().recovered(2, emptyLogEnd, { term: 2, votedFor: "" }).verdict).to.equal("lawful-campaign");
  });

  it("fails on a campaign without a question, and on an order of another term", () => {
    expect(told().role(1, 2, "candidate").violation?.message).to.contain("without having asked");
    const trace = told().transfer(0, 1, 1, "sent").campaign(2, 2).role(1, 2, "follower");
    expect(trace.role(1, 3, "candidate", "transfer").violation?.message).to.contain("never gave");
  });

  it("fails on a campaign for lack of a leader that was just heard, unless a hint told that it is gone", () => {
    expect(told().match(1, 1, 0).role(1, 1, "pre-candidate", "timeout").verdict).to.equal("lawful-campaign");
    expect(told().match(1, 1, 0).role(1, 1, "pre-candidate", "hint").verdict).to.equal("none");
  });
});

describe("lawful-campaign after a vote", () => {
  const voted = (): Trace =>
    new Trace(3, true).campaign(0, 1).role(1, 1, "follower", "higher-term").lawfulVote(1, 1, 0);

  it("fails on a campaign of a voter that has just given its vote away", () => {
    expect(voted().role(1, 1, "pre-candidate", "timeout").verdict).to.equal("lawful-campaign");
  });

  it("passes one that waited for the winner in vain", () => {
    expect(voted().wait(second).role(1, 1, "pre-candidate", "timeout").verdict).to.equal("none");
  });
});

describe("deposed-steps-down", () => {
  const deposed = (): Trace => led().elect(1, 2, [1, 2]).role(2, 2, "follower");

  it("fails on a leader that leads on for four seconds after a majority has left its term", () => {
    expect(
      deposed()
        .wait(3.9 * second)
        .sync(0, 0).verdict,
    ).to.equal("none");
    const trace = deposed()
      .wait(4.1 * second)
      .sync(0, 0);
    expect(trace.violation?.message).to.contain("n0 leads g0 in term 1 long after");
  });

  it("passes one that stepped down, crashed, or stood still until now", () => {
    expect(
      deposed()
        .role(0, 1, "follower")
        .wait(9 * second)
        .sync(0, 0).verdict,
    ).to.equal("none");
    expect(
      deposed()
        .fault(0, "crash")
        .wait(9 * second)
        .sync(1, 0).verdict,
    ).to.equal("none");
    // Its disk is slow: until the log is recovered, it does nothing, whatever it was before.
    expect(
      deposed()
        .fault(0, "crash")
        .fault(0, "restart")
        .wait(9 * second)
        .sync(1, 0).verdict,
    ).to.equal("none");
    const paused = deposed()
      .fault(0, "pause")
      .wait(9 * second)
      .fault(0, "resume")
      .wait(second)
      .sync(0, 0);
    expect(paused.verdict).to.equal("none");
    expect(paused.wait(4 * second).sync(0, 0).verdict).to.equal("deposed-steps-down");
  });
});

describe("lawful-transfer", () => {
  const next = dataEntries(lastOf(first), 1, [1]);

  it("passes a hand-over that is given up, and one that is done", () => {
    const trace = led()
      .transfer(0, 1, 1, "begun")
      .transfer(0, 1, 1, "failed")
      .append(0, 1, next)
      .sync(0, 1)
      .append(1, 1, next)
      .sync(1, 1)
      .match(1, 1, 1)
      .transfer(0, 1, 1, "begun")
      .transfer(0, 1, 1, "sent")
      .elect(1, 2, [1, 2])
      .transfer(0, 2, 1, "done")
      .role(0, 2, "follower");
    expect(trace.violation).to.equal(undefined);
  });

  it("passes one that learns whose the newer term is after it ceased to lead", () => {
    const left = (): Trace =>
      led().transfer(0, 1, 1, "begun").transfer(0, 1, 1, "sent").role(0, 2, "follower");
    const done = left().elect(1, 2, [1, 2]).transfer(0, 2, 1, "done");
    expect(done.role(0, 2, "follower").violation).to.equal(undefined);
    expect(left().role(0, 2, "pre-candidate").transfer(0, 2, 1, "failed").violation).to.equal(undefined);
  });

  it("passes one who handed over and leads again in a later term", () => {
    const trace = led()
      .transfer(0, 1, 1, "begun")
      .transfer(0, 1, 1, "sent")
      .elect(1, 2, [1, 2])
      .transfer(0, 2, 1, "done")
      .role(0, 2, "follower")
      .elect(0, 3, [0, 2])
      .append(0, 3, noOp(lastOf(first), 3));
    expect(trace.violation).to.equal(undefined);
  });

  it("fails on a hand-over that is told to be done though its target does not lead", () => {
    const sent = (): Trace => led().transfer(0, 1, 1, "begun").transfer(0, 1, 1, "sent");
    const asked = sent().role(1, 2, "candidate").transfer(0, 2, 1, "done");
    expect(asked.violation?.message).to.contain("which has not led since");
    const another = sent().elect(2, 2, [1, 2]).transfer(0, 2, 1, "done");
    expect(another.violation?.message).to.contain("which has not led since");
  });

  it("fails on an order to one that does not hold the whole log", () => {
    const trace = led().append(0, 1, next).transfer(0, 1, 1, "begun").transfer(0, 1, 1, "sent");
    expect(trace.violation?.message).to.contain("which does not hold its whole log");
  });

  it("fails on entries of clients while leadership is handed over, and after it was told to be", () => {
    expect(led().transfer(0, 1, 1, "begun").append(0, 1, next).verdict).to.equal("lawful-transfer");
    const sent = led().transfer(0, 1, 1, "begun").transfer(0, 1, 1, "sent");
    const done = sent.elect(1, 2, [1, 2]).transfer(0, 1, 1, "done");
    expect(done.append(0, 1, next).violation?.message).to.contain("goes on appending in a term");
  });

  it("fails on a hand-over that nobody ends", () => {
    const open = (): Trace => led().transfer(0, 1, 1, "begun").transfer(0, 1, 1, "sent");
    expect(open().role(0, 1, "follower").verdict).to.equal("lawful-transfer");
    expect(led().transfer(0, 1, 1, "begun").role(0, 2, "follower").verdict).to.equal("lawful-transfer");
    const left = open().role(0, 2, "follower");
    expect(left.elect(1, 2, [1, 2]).elect(0, 3, [0, 1]).verdict).to.equal("lawful-transfer");
    expect(
      open()
        .role(0, 2, "follower")
        .wait(2 * second)
        .role(2, 2, "follower")
        .end({ nodes: [], histories: [] }).verdict,
    ).to.equal("lawful-transfer");
    expect(
      open()
        .wait(2 * second)
        .transfer(0, 1, 1, "sent").verdict,
    ).to.equal("lawful-transfer");
    expect(
      open()
        .fault(0, "crash")
        .wait(2 * second).verdict,
    ).to.equal("none");
  });
});

describe("session-order", () => {
  const content = (kind: "session" | "data", session: number, sequence: number): EntryContent => ({
    kind,
    body: kind === "data" ? encodePayload(sequence, 16) : new Uint8Array(0),
    session,
    sequence,
  });
  const entries = (end: LogEnd, ...contents: EntryContent[]): Entry[] => encodeEntries(end, 1, contents);
  const opening = entries(lastOf(first), content("session", 0, 0), content("data", 1, 1));
  const applied = (more: readonly Entry[]): Trace =>
    led().replicate([0, 1], 1, more).match(1, 1, more.length).commit(0, 1, more.length, true).apply(0, first);

  it("passes a session that is opened and used in order", () => {
    expect(applied(opening).session(0, 1, "opened").apply(0, opening).violation).to.equal(undefined);
  });

  it("fails on a gap, on a session that is not open, and on one that is not told", () => {
    const gap = entries(lastOf(first), content("session", 0, 0), content("data", 1, 2));
    expect(applied(gap).session(0, 1, "opened").apply(0, gap).violation?.message).to.contain("sequence 2");
    const stray = entries(lastOf(first), content("data", 7, 1));
    expect(applied(stray).apply(0, stray).violation?.message).to.contain("session 7, which is not open");
    expect(applied(opening).apply(0, opening).verdict).to.equal("session-order");
  });

  it("fails on the eviction of a session that was used later than another", () => {
    const { sessionsMax } = simulatedLimits;
    const opened = Array.from({ length: sessionsMax }, () => content("session", 0, 0));
    const full = entries(lastOf(first), ...opened, content("data", 1, 1), content("session", 0, 0));
    const trace = (evicted: number): Trace => {
      const begun = applied(full);
      for (let id = 1; id <= sessionsMax; id++) begun.session(0, id, "opened");
      return begun
        .session(0, sessionsMax + 2, "opened")
        .session(0, evicted, "evicted")
        .apply(0, full);
    };
    expect(trace(2).violation).to.equal(undefined);
    expect(trace(1).verdict).to.equal("session-order");
  });

  it("takes the number of sessions from each entry that opens one, whatever the nodes' own", () => {
    const open = (...body: number[]): EntryContent => ({
      ...content("session", 0, 0),
      body: Uint8Array.from(body),
    });
    // Ten beyond what simulated nodes keep by themselves, then a leader that keeps two: also bodies that no leader writes.
    const many = Array.from({ length: simulatedLimits.sessionsMax + 10 }, (_, i) =>
      i % 2 === 0 ? open(0, 0, 1, 0) : open(255, 255, 255, 255),
    );
    const log = entries(lastOf(first), ...many, open(1, 2), open(0, 0, 0, 2), open(0, 0, 0, 0));
    const opened = many.length + 3;
    const trace = (evictedLast: number): Trace => {
      const told = applied(log);
      for (let id = 1; id < opened; id++) told.session(0, id, "opened");
      for (let id = 1; id < opened - 2; id++) told.session(0, id, "evicted");
      told.session(0, opened, "opened").session(0, opened - 2, "evicted");
      for (let id = opened - 1; id <= evictedLast; id++) told.session(0, id, "evicted");
      return told.apply(0, log);
    };
    expect(trace(opened - 1).violation).to.equal(undefined);
    expect(trace(opened - 2).verdict).to.equal("session-order");
    expect(trace(opened).verdict).to.equal("session-order");
  });
});

describe("bounded-backlog", () => {
  it("fails on a client's entry on top of as many uncommitted ones as may wait", () => {
    const { uncommittedEntriesMax } = simulatedLimits;
    const keys = Array.from({ length: uncommittedEntriesMax + 1 }, (_, key) => key);
    const many = dataEntries(lastOf(first), 1, keys);
    expect(led().append(0, 1, many.slice(0, uncommittedEntriesMax)).verdict).to.equal("none");
    expect(led().append(0, 1, many).verdict).to.equal("bounded-backlog");
  });

  it("fails on whatever else waits beyond its bound, but for one large entry on its way", () => {
    const { tailsMax, inFlightBytesMax, messageBytesMax } = simulatedLimits;
    const waits = (what: Backlog, size: number, last: number): string =>
      led().emit({ kind: "backlog", node: nodeOf(0), group, what, size, last }).verdict;
    expect(waits("tails", tailsMax, 1)).to.equal("none");
    expect(waits("tails", tailsMax + 1, 1)).to.equal("bounded-backlog");
    expect(waits("in-flight-bytes", inFlightBytesMax, 100)).to.equal("none");
    expect(waits("in-flight-bytes", inFlightBytesMax + 1, 100)).to.equal("bounded-backlog");
    expect(waits("in-flight-bytes", 10 * inFlightBytesMax, messageBytesMax + 1)).to.equal("none");
  });
});
