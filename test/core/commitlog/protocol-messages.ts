import { groupId, nodeId } from "#core/base/brand";
import type { ClientRequest, ClientResponse, NodeStatus } from "#core/commitlog/protocol";
import { bytes } from "./log-builder.ts";

/** The messages behind the frames in test/golden/client-protocol, by file name. */
export const goldenRequests: { readonly [name: string]: ClientRequest } = {
  "client-hello": {
    type: "client-hello",
    requestId: 1,
    versionLow: 1,
    versionHigh: 1,
    group: groupId("g0"),
    cluster: "0123456789abcdef0123456789abcdef",
    name: "golden",
    token: "",
  },
  append: {
    type: "append",
    requestId: 2,
    session: 5,
    firstSequence: 17,
    bodies: [bytes("first"), bytes(""), bytes("third")],
  },
  tail: {
    type: "tail",
    requestId: 3,
    from: 4_294_967_296,
    entriesMax: 1_024,
    bytesMax: 1_048_576,
    waitMicros: 1_000_000,
    linearizable: true,
  },
};

export const goldenResponses: { readonly [name: string]: ClientResponse } = {
  "server-hello": {
    type: "server-hello",
    requestId: 1,
    version: 1,
    node: nodeId("n0"),
    group: groupId("g0"),
    cluster: "0123456789abcdef0123456789abcdef",
    incarnation: "0011223344556677",
    leader: nodeId("n1"),
    leaderAddress: "127.0.0.1:40912",
    limits: {
      entryBodyBytesMax: 4_194_304,
      appendEntriesMax: 1_024,
      appendBytesMax: 4_194_304,
      inFlightMax: 1_024,
    },
  },
  appended: { type: "appended", requestId: 2, runs: [{ first: 20, count: 3, term: 2 }] },
  entries: {
    type: "entries",
    requestId: 3,
    next: 4_294_967_300,
    commitIndex: 4_294_967_299,
    entries: [{ index: 4_294_967_297, term: 2, body: bytes("first") }],
  },
  fault: {
    type: "fault",
    requestId: 4,
    code: "not-leader",
    retry: "now",
    message: "node n0 does not lead group g0",
    leader: nodeId("n1"),
    leaderAddress: "127.0.0.1:40912",
  },
};

/** What a follower tells of itself. */
export const anyStatus: NodeStatus = {
  id: nodeId("n1"),
  group: groupId("g0"),
  cluster: "",
  role: "follower",
  standing: "member",
  term: 2,
  leader: "",
  commitIndex: 4,
  lastIndex: 5,
  chainCrc: 6,
  lag: 0,
  readOnly: false,
  intake: "open",
  voters: [nodeId("n1")],
  pid: 7,
};
