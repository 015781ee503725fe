import type { Entry, EntryContent } from "#core/base/entry";
import { bodyOf } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { Admission } from "#core/commitlog/admission";
import { CommitLog } from "#core/commitlog/commit-log";
import type { CommitLogLimits } from "#core/commitlog/limits";
import type { ClientRequest, ClientResponse, LeaderHint } from "#core/commitlog/protocol";
import { faultOf, noLeader, runsOf } from "#core/commitlog/protocol";
import { LogBuilder, noOp } from "../commitlog/log-builder.ts";
import type { FakeLink, FakeNetwork } from "./fake-world.ts";
import type { Script } from "./scripted-node.ts";
import { fault, hintTo, ScriptedNode } from "./scripted-node.ts";

interface Pending {
  readonly requestId: number;
  readonly link: FakeLink;
  readonly node: ScriptedNode;
  readonly indexes: readonly number[];
}

/**
 * A group of nodes as far as clients can tell: one log, a leader that appends to it, entries that are committed later,
 * and changes of leader that keep as much of the uncommitted tail as they are told to. Sessions are the real ones.
 */
export class ModelCluster {
  readonly nodes: ScriptedNode[];
  readonly log = new LogBuilder();
  private readonly limits: CommitLogLimits;
  private machine: CommitLog;
  private gate: Admission | undefined;
  private leader: number = -1;
  private term = 0;
  private pending: Pending[] = [];
  commitIndex = -1;
  /** How many of the next appends the leader refuses as `pending-full`. */
  refusals = 0;

  constructor(network: FakeNetwork, size: number, limits: CommitLogLimits) {
    this.limits = limits;
    this.machine = new CommitLog(limits);
    this.nodes = Array.from({ length: size }, (_, i) => new ScriptedNode(network, `n${i}`, this.script(i)));
  }

  private hint(): LeaderHint {
    return this.leader < 0 ? noLeader : hintTo(`n${this.leader}`);
  }

  private script(i: number): Script {
    return (request, link, node) => {
      if (i !== this.leader || this.gate === undefined) return fault(request, "not-leader", this.hint());
      if (request.type !== "append" && request.type !== "open-session") return undefined;
      if (this.refusals > 0) {
        this.refusals -= 1;
        return fault(request, "pending-full", this.hint());
      }
      return this.propose(this.gate, request, link, node);
    };
  }

  private propose(
    gate: Admission,
    request: ClientRequest,
    link: FakeLink,
    node: ScriptedNode,
  ): ClientResponse | undefined {
    const { requestId } = request;
    const admitted =
      request.type === "append"
        ? gate.admit(request)
        : { kind: "admitted" as const, known: [], contents: [gate.sessionContent()] };
    if (admitted.kind === "refused") return faultOf(requestId, admitted.error, this.hint());
    const entries = this.append(admitted.contents);
    gate.appended(entries);
    const indexes = [...admitted.known, ...entries.map((entry) => entry.index)];
    this.pending.push({ requestId, link, node, indexes });
    this.answerCommitted();
    return undefined;
  }

  /** A session of somebody else, which may push out an old one. */
  openStray(): void {
    if (this.gate !== undefined) this.gate.appended(this.append([this.gate.sessionContent()]));
  }

  private append(contents: readonly EntryContent[]): Entry[] {
    return contents.length === 0 ? [] : this.log.append(this.term, contents);
  }

  commit(entries: number): void {
    this.commitIndex = Math.min(this.commitIndex + entries, this.log.lastIndex);
    this.answerCommitted();
  }

  private answerCommitted(): void {
    const waiting: Pending[] = [];
    for (const pending of this.pending) {
      if (Math.max(...pending.indexes) > this.commitIndex) waiting.push(pending);
      else this.answer(pending);
    }
    this.pending = waiting;
  }

  private answer({ requestId, link, node, indexes }: Pending): void {
    const first = this.log.entries[indexes[0] as number] as Entry;
    if (first.kind === "session") {
      node.send(link, { type: "session-opened", requestId, session: first.index });
      return;
    }
    const runs = runsOf(indexes, (index) => (this.log.entries[index] as Entry).term);
    node.send(link, { type: "appended", requestId, runs });
  }

  /** The leader is gone; what it had not committed is in doubt. */
  depose(): void {
    const lost = new LogError("outcome-unknown", "leadership was lost");
    for (const { requestId, link, node } of this.pending) node.send(link, faultOf(requestId, lost));
    this.pending = [];
    this.leader = -1;
    this.gate = undefined;
  }

  /** Node `i` leads with all that is committed and `kept` entries of what was not. */
  elect(i: number, kept: number): void {
    this.depose();
    this.log.truncate(Math.min(this.commitIndex + 1 + kept, this.log.lastIndex + 1));
    this.term += 1;
    this.leader = i;
    this.append([noOp]);
    this.commit(Number.MAX_SAFE_INTEGER);
    // As after a restart: the state is that of the log, applied from the start. Applying asserts the session rules.
    this.machine = new CommitLog(this.limits);
    this.machine.apply(this.log.entries);
    this.gate = new Admission(this.machine.sessions, this.log.lastIndex, this.limits);
  }

  /** The text of each data entry in the log, by index. */
  texts(): Map<number, string> {
    const texts = new Map<number, string>();
    for (const entry of this.log.entries) {
      if (entry.kind === "data") texts.set(entry.index, new TextDecoder().decode(bodyOf(entry)));
    }
    return texts;
  }
}
