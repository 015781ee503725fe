import type { NodeId } from "#core/base/brand";
import { groupId, nodeId } from "#core/base/brand";
import { ByteWriter } from "#core/base/bytes";
import type { FaultCode } from "#core/base/errors";
import { LogError } from "#core/base/errors";
import type {
  Append,
  ClientRequest,
  ClientResponse,
  LeaderHint,
  ServerLimits,
} from "#core/commitlog/protocol";
import { answerHello, faultOf, noLeader } from "#core/commitlog/protocol";
import { decodeRequest } from "#core/commitlog/request-codec";
import { encodeResponse } from "#core/commitlog/response-codec";
import type { FakeLink, FakeNetwork, FakePeer } from "./fake-world.ts";

export const group = groupId("g0");
const writer = new ByteWriter();

export function addressOf(node: string): string {
  return `${node}:1`;
}

export function hintTo(node: string): LeaderHint {
  return { leader: nodeId(node), leaderAddress: addressOf(node) };
}

export type Script = (
  request: ClientRequest,
  link: FakeLink,
  node: ScriptedNode,
) => ClientResponse | undefined;

/** A node that greets properly and for the rest does what its script says. */
export class ScriptedNode implements FakePeer {
  readonly id: NodeId;
  /** Everything it was sent, greetings and pings aside. */
  readonly requests: ClientRequest[] = [];
  script: Script;
  hint: LeaderHint = noLeader;
  cluster = "";
  greets = true;
  pongs = true;
  limits: ServerLimits = {
    entryBodyBytesMax: 4_194_304,
    appendEntriesMax: 1_024,
    appendBytesMax: 4_194_304,
    inFlightMax: 1_024,
  };

  constructor(network: FakeNetwork, id: string, script: Script) {
    this.id = nodeId(id);
    this.script = script;
    network.peers.set(addressOf(id), this);
  }

  get appends(): Append[] {
    return this.requests.filter((request) => request.type === "append");
  }

  frame(frame: Uint8Array, link: FakeLink): void {
    const request = decodeRequest(frame);
    const answer = this.answer(request, link);
    if (answer !== undefined) this.send(link, answer);
  }

  private answer(request: ClientRequest, link: FakeLink): ClientResponse | undefined {
    if (request.type === "client-hello") {
      const { id: node, cluster, hint, limits } = this;
      if (!this.greets) return undefined;
      return answerHello(request, { node, group, cluster, incarnation: "", limits, ...hint });
    }
    if (request.type === "ping") {
      return this.pongs ? { type: "pong", requestId: request.requestId } : undefined;
    }
    this.requests.push(request);
    return this.script(request, link, this);
  }

  send(link: FakeLink, response: ClientResponse): void {
    encodeResponse(writer, response);
    link.answer(writer.finish());
  }
}

export function fault(request: ClientRequest, code: FaultCode, hint: LeaderHint = noLeader): ClientResponse {
  return faultOf(request.requestId, new LogError(code, `scripted ${code}`), hint);
}

export function refuse(code: FaultCode, hint?: LeaderHint): Script {
  return (request) => fault(request, code, hint);
}

/** Answers as a leader that has the log to itself: sessions, duplicates and gaps as they should be. */
export function soleLeader(state: { index: number } = { index: 10 }): Script {
  const sessions = new Map<number, number[]>();
  return (request) => {
    const { requestId } = request;
    switch (request.type) {
      case "open-session": {
        const session = state.index++;
        sessions.set(session, []);
        return { type: "session-opened", requestId, session };
      }
      case "append": {
        const done = request.session === 0 ? [] : sessions.get(request.session);
        if (done === undefined) return fault(request, "session-expired");
        const first = request.session === 0 ? 1 : request.firstSequence;
        if (first > done.length + 1) return fault(request, "sequence-gap");
        const runs = request.bodies.map((_, i) => {
          let index = done[first - 1 + i];
          if (index === undefined) {
            index = state.index++;
            done.push(index);
          }
          return { first: index, count: 1, term: 3 };
        });
        return { type: "appended", requestId, runs };
      }
      case "get":
        if (request.index >= state.index) return fault(request, "index-out-of-range");
        return {
          type: "entry",
          requestId,
          entry: { index: request.index, term: 3, body: new Uint8Array(1) },
        };
      case "read-index":
        return { type: "read-index-confirmed", requestId, index: state.index - 1 };
      case "transfer":
        return { type: "transferred", requestId };
      default:
        return undefined;
    }
  };
}
