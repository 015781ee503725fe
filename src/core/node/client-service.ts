import { unreachable } from "../base/assert.ts";
import type { GroupId } from "../base/brand.ts";
import { ByteWriter } from "../base/bytes.ts";
import { LogError } from "../base/errors.ts";
import { HighWater } from "../base/high-water.ts";
import type { Done } from "../base/task.ts";
import type { ClientHello, ClientRequest, ClientResponse } from "../commitlog/protocol.ts";
import { answerHello, clientVersionMin, faultOf, noLeader, runsOf } from "../commitlog/protocol.ts";
import { decodeRequest } from "../commitlog/request-codec.ts";
import { encodeResponse } from "../commitlog/response-codec.ts";
import type { Timer } from "../io/clock.ts";
import type { Connection, ConnectionEvents } from "../io/network.ts";
import type { Backlog } from "../io/trace.ts";
import type { NodeConfig } from "./config.ts";
import type { Group } from "./group.ts";
import type { NodePorts } from "./ports.ts";
import type { ReadTurns } from "./read-pace.ts";
import { loadsWithin, ReadPace } from "./read-pace.ts";

/** One client's connection: introduced once, then requests in and answers out, both bounded. */
export class ClientConnection implements ConnectionEvents {
  private readonly connection: Connection;
  private readonly config: NodeConfig;
  private readonly ports: NodePorts;
  private readonly groups: ReadonlyMap<GroupId, Group>;
  private readonly forget: () => void;
  /** There may be many connections, and most answers are short. */
  private readonly writer = new ByteWriter(1_024);
  private readonly helloTimer: Timer;
  private readonly turns: ReadTurns;
  private readonly pace: ReadPace;
  private group: Group | undefined;
  /** Of the protocol, as the hello settled it. */
  private version = clientVersionMin;
  /** As the client calls itself. */
  private name = "";
  private closing = false;
  private open = true;
  private outstanding = 0;
  /** Answers that the connection had no room for, in order. */
  private readonly unsent: Uint8Array[] = [];
  private unsentBytes = 0;
  private readonly mostRequests = new HighWater();
  private readonly mostAnswerBytes = new HighWater();

  constructor(
    connection: Connection,
    config: NodeConfig,
    ports: NodePorts,
    groups: ReadonlyMap<GroupId, Group>,
    turns: ReadTurns,
    forget: () => void,
  ) {
    this.connection = connection;
    this.config = config;
    this.ports = ports;
    this.groups = groups;
    this.forget = forget;
    this.turns = turns;
    const { connectionAnswerBytesMax, clientHelloTimeout } = config.limits;
    this.pace = new ReadPace({
      turns,
      loadsMax: loadsWithin(connectionAnswerBytesMax),
      takesMore: () => this.open && !this.closing && this.unsent.length === 0,
    });
    const deadline = ports.clock.monotonic() + clientHelloTimeout;
    this.helloTimer = ports.clock.at(deadline, () => this.end());
  }

  opened(): void {}

  closed(): void {
    this.open = false;
    this.helloTimer.cancel();
    this.pace.clear();
    this.forget();
  }

  /** Closes the connection, once what was answered has left it. */
  end(): void {
    if (!this.open) return;
    if (this.unsent.length > 0) {
      this.closing = true;
      return;
    }
    this.connection.close();
    this.closed();
  }

  /** Closes the connection now. */
  abort(): void {
    this.unsent.length = 0;
    this.end();
  }

  frame(frame: Uint8Array): void {
    if (this.closing) return;
    let request: ClientRequest;
    try {
      request = decodeRequest(frame);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      this.answer(faultOf(0, error));
      return this.end();
    }
    if (request.type === "client-hello") return this.introduce(request);
    if (this.group === undefined) {
      this.answer(
        faultOf(request.requestId, new LogError("malformed-frame", "a client opens with its hello")),
      );
      return this.end();
    }
    if (this.outstanding >= this.config.limits.connectionRequestsMax) {
      const error = new LogError(
        "pending-full",
        `${this.outstanding} calls of this connection wait for their answer`,
      );
      return this.answer(faultOf(request.requestId, error));
    }
    this.outstanding += 1;
    if (this.mostRequests.rises(this.outstanding))
      this.tellBacklog("connection-requests", this.outstanding, 1);
    this.serve(this.group, request);
  }

  private introduce(hello: ClientHello): void {
    this.helloTimer.cancel();
    const group = this.groups.get(hello.group);
    if (group === undefined || this.group !== undefined) {
      const error =
        group === undefined
          ? new LogError("unknown-group", `node ${this.config.self} has no group ${hello.group}`)
          : new LogError("malformed-frame", "a client introduces itself once");
      this.answer(faultOf(hello.requestId, error));
      return this.end();
    }
    const { cluster, incarnation } = group;
    const { entryBodyBytesMax, appendEntriesMax, appendBytesMax, inFlightMax } = group.commitLogLimits;
    const answer = answerHello(hello, {
      node: this.config.self,
      group: group.group,
      cluster,
      incarnation,
      ...this.hint(group),
      limits: { entryBodyBytesMax, appendEntriesMax, appendBytesMax, inFlightMax },
    });
    this.answer(answer);
    if (answer.type === "fault") return this.end();
    this.version = answer.version;
    this.name = hello.name;
    this.group = group;
  }

  private hint(group: Group): { leader: Group["leader"]; leaderAddress: string } {
    const { leader } = group;
    return leader === "" ? noLeader : { leader, leaderAddress: group.addressOf(leader) };
  }

  private serve(group: Group, request: Exclude<ClientRequest, ClientHello>): void {
    const { requestId } = request;
    /** Answers with what `make` builds, or with the fault, exactly once. */
    const reply = <T>(make: (value: T) => ClientResponse): Done<T> => {
      return (error, value) => {
        this.outstanding -= 1;
        this.answer(error === undefined ? make(value) : this.fault(group, requestId, error));
      };
    };
    switch (request.type) {
      case "append":
        return group.append(
          request,
          reply((appended) => ({
            type: "appended",
            requestId,
            runs: runsOf(appended.indexes, (index) => group.termAt(index)),
          })),
        );
      case "open-session":
        return group.openSession(reply((session) => ({ type: "session-opened", requestId, session })));
      case "get":
        return group.get(
          request.index,
          request.linearizable,
          reply((entry) => ({ type: "entry", requestId, entry })),
          this.pace,
        );
      case "tail": {
        const { from, entriesMax, bytesMax, waitMicros, linearizable } = request;
        const limits = group.commitLogLimits;
        const bounded = {
          from,
          entriesMax: Math.min(Math.max(entriesMax, 1), limits.tailEntriesMax),
          bytesMax: Math.min(bytesMax, limits.tailBytesMax),
          wait: waitMicros,
          linearizable,
        };
        return group.tail(
          bounded,
          reply((answer) => ({ type: "entries", requestId, ...answer })),
          this.pace,
        );
      }
      case "read-index":
        return group.readIndex(reply((index) => ({ type: "read-index-confirmed", requestId, index })));
      case "status":
        return reply(() => ({ type: "status-report", requestId, status: group.status() }))(
          undefined,
          undefined,
        );
      case "transfer":
        return group.transfer(
          request.to,
          reply(() => ({ type: "transferred", requestId })),
        );
      case "set-read-only":
        return group.setReadOnly(
          request.readOnly,
          reply(() => ({ type: "read-only-set", requestId })),
        );
      case "ping":
        return reply(() => ({ type: "pong", requestId }))(undefined, undefined);
      default:
        return unreachable(request);
    }
  }

  private fault(group: Group, requestId: number, error: Error): ClientResponse {
    const { node, code } = {
      node: this.config.self,
      code: error instanceof LogError ? error.code : "disk-error",
    };
    if (code !== "not-leader" && code !== "index-out-of-range") {
      this.ports.trace.emit({ kind: "refuse", node, group: group.group, code, peer: "" });
    }
    const fault =
      error instanceof LogError ? error : new LogError("disk-error", error.message, { cause: error });
    return faultOf(requestId, fault, this.hint(group));
  }

  private answer(response: ClientResponse): void {
    if (!this.open) return;
    encodeResponse(this.writer, response, this.version);
    const frame = this.writer.finish();
    if (response.type === "entry" || response.type === "entries") this.turns.spend(frame.length);
    if (this.unsent.length === 0 && this.connection.send(frame)) return;
    this.unsent.push(frame);
    this.unsentBytes += frame.length;
    if (this.unsentBytes > this.config.limits.connectionAnswerBytesMax) this.giveUp();
    else if (this.mostAnswerBytes.rises(this.unsentBytes))
      this.tellBacklog("connection-answer-bytes", this.unsentBytes, frame.length);
  }

  /** A client that never reads must not fill this node's memory: not with entries, which wait, and with nothing else. */
  private giveUp(): void {
    const { group, name } = this;
    const reason = `${this.unsentBytes} bytes of answers that it does not read`;
    if (group !== undefined)
      this.ports.trace.emit({
        kind: "client",
        node: this.config.self,
        group: group.group,
        name,
        change: "unread",
        reason,
      });
    this.abort();
  }

  private tellBacklog(what: Backlog, size: number, last: number): void {
    const { trace } = this.ports;
    if (!trace.detailed || this.group === undefined) return;
    trace.emit({ kind: "backlog", node: this.config.self, group: this.group.group, what, size, last });
  }

  drained(): void {
    let sent = 0;
    for (const frame of this.unsent) {
      if (!this.connection.send(frame)) break;
      this.unsentBytes -= frame.length;
      sent += 1;
    }
    this.unsent.splice(0, sent);
    if (this.unsent.length > 0) return;
    if (this.closing) this.end();
    else this.pace.pump();
  }
}
