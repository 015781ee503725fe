import { unreachable } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { FaultCode, Retry } from "../base/errors.ts";
import { faultCodeOf, faultCodes } from "../base/errors.ts";
import type { Intake, Role, Standing } from "../io/trace.ts";
import type {
  Appended,
  ClientResponse,
  Entries,
  Fault,
  IndexRun,
  LogEntry,
  NodeStatus,
  ServerHello,
} from "./protocol.ts";
import { clientVersionMax } from "./protocol.ts";
import {
  addressBytesMax,
  counted,
  groupOf,
  header,
  idBytesMax,
  inverse,
  malformed,
  node,
  nodeOrNone,
  oneOf,
  openFrame,
  view,
} from "./protocol-frame.ts";

const messageCharsMax = 256;
const votersMax = 64;

const roles: readonly Role[] = ["follower", "pre-candidate", "candidate", "leader"];
const standings: readonly Standing[] = ["member", "wiped", "damaged", "failed"];
/** In version 1 a flag: open, or anything else. */
const intakes: readonly Intake[] = ["open", "read-only", "full"];
const retries: readonly Retry[] = ["now", "later", "never", "unknown"];

const responseTypes: { readonly [type in ClientResponse["type"]]: number } = {
  "server-hello": 129,
  "session-opened": 130,
  appended: 131,
  entry: 132,
  entries: 133,
  "read-index-confirmed": 134,
  "status-report": 135,
  transferred: 136,
  pong: 137,
  "read-only-set": 138,
  fault: 255,
};
const responseOf: readonly (ClientResponse["type"] | undefined)[] = inverse(responseTypes);

/** Puts one whole frame, as a client of that version of the protocol reads it. */
export function encodeResponse(w: ByteWriter, m: ClientResponse, version: number = clientVersionMax): void {
  header(w, responseTypes[m.type], m.requestId);
  switch (m.type) {
    case "server-hello":
      encodeServerHello(w, m);
      return;
    case "session-opened":
      w.u64(m.session);
      return;
    case "appended":
      w.u32(m.runs.length);
      for (const run of m.runs) w.u64(run.first).u32(run.count).u64(run.term);
      return;
    case "entry":
      w.u64(m.entry.index).u64(m.entry.term).bytes(m.entry.body);
      return;
    case "entries":
      w.u64(m.next).index(m.commitIndex).u32(m.entries.length);
      for (const entry of m.entries) w.u64(entry.index).u64(entry.term).bytes(entry.body);
      return;
    case "read-index-confirmed":
      w.index(m.index);
      return;
    case "status-report":
      encodeStatus(w, m.status, version);
      return;
    case "fault":
      w.u16(faultCodes[m.code]).u8(retries.indexOf(m.retry)).text(m.message.slice(0, messageCharsMax));
      w.ascii(m.leader).ascii(m.leaderAddress);
      return;
    case "transferred":
    case "read-only-set":
    case "pong":
      return;
    default:
      unreachable(m);
  }
}

function encodeServerHello(w: ByteWriter, m: ServerHello): void {
  w.u8(m.version).ascii(m.node).ascii(m.group).ascii(m.cluster).ascii(m.incarnation);
  w.ascii(m.leader).ascii(m.leaderAddress);
  const { entryBodyBytesMax, appendEntriesMax, appendBytesMax, inFlightMax } = m.limits;
  w.u32(entryBodyBytesMax).u32(appendEntriesMax).u32(appendBytesMax).u32(inFlightMax);
}

function encodeStatus(w: ByteWriter, s: NodeStatus, version: number): void {
  w.ascii(s.id).ascii(s.group).ascii(s.cluster).u8(roles.indexOf(s.role)).u8(standings.indexOf(s.standing));
  w.u64(s.term).ascii(s.leader).index(s.commitIndex).index(s.lastIndex).u32(s.chainCrc).u64(s.lag);
  const intake = intakes.indexOf(s.intake);
  w.u8(version === 1 ? Math.min(intake, 1) : intake).u16(s.voters.length);
  for (const voter of s.voters) w.ascii(voter);
  w.u32(s.pid);
}

/**
 * Decodes what a node sent. Bodies are views into the frame.
 * @throws LogError `malformed-frame` or `wrong-version`.
 */
export function decodeResponse(frame: Uint8Array): ClientResponse {
  const { r, type, requestId } = openFrame(frame, responseOf);
  const message = responseFields(r, type, requestId);
  r.done();
  return message;
}

function responseFields(r: ByteReader, type: ClientResponse["type"], requestId: number): ClientResponse {
  switch (type) {
    case "server-hello":
      return decodeServerHello(r, requestId);
    case "session-opened":
      return { type, requestId, session: r.u64() };
    case "appended":
      return decodeAppended(r, requestId);
    case "entry":
      return { type, requestId, entry: logEntry(r) };
    case "entries":
      return decodeEntries(r, requestId);
    case "read-index-confirmed":
      return { type, requestId, index: r.index() };
    case "status-report":
      return { type, requestId, status: decodeStatus(r) };
    case "fault":
      return decodeFault(r, requestId);
    case "transferred":
    case "read-only-set":
    case "pong":
      return { type, requestId };
    default:
      return unreachable(type);
  }
}

function decodeServerHello(r: ByteReader, requestId: number): ServerHello {
  return {
    type: "server-hello",
    requestId,
    version: r.u8(),
    node: node(r),
    group: groupOf(r),
    cluster: r.ascii(idBytesMax),
    incarnation: r.ascii(idBytesMax),
    leader: nodeOrNone(r),
    leaderAddress: r.ascii(addressBytesMax),
    limits: {
      entryBodyBytesMax: r.u32(),
      appendEntriesMax: r.u32(),
      appendBytesMax: r.u32(),
      inFlightMax: r.u32(),
    },
  };
}

function decodeAppended(r: ByteReader, requestId: number): Appended {
  const runs: IndexRun[] = [];
  for (let left = counted(r, 20); left > 0; left--) {
    runs.push({ first: r.u64(), count: r.u32(), term: r.u64() });
  }
  return { type: "appended", requestId, runs };
}

function decodeEntries(r: ByteReader, requestId: number): Entries {
  const next = r.u64();
  const commitIndex = r.index();
  const count = counted(r, 20);
  const entries = new Array<LogEntry>(count);
  for (let i = 0; i < count; i++) entries[i] = logEntry(r);
  return { type: "entries", requestId, next, commitIndex, entries };
}

function decodeStatus(r: ByteReader): NodeStatus {
  const head = { id: node(r), group: groupOf(r), cluster: r.ascii(idBytesMax) };
  const role = oneOf(roles, r.u8());
  const standing = oneOf(standings, r.u8());
  const log = {
    term: r.u64(),
    leader: nodeOrNone(r),
    commitIndex: r.index(),
    lastIndex: r.index(),
    chainCrc: r.u32(),
    lag: r.u64(),
  };
  const intake = oneOf(intakes, r.u8());
  const count = r.u16();
  if (count > votersMax) throw malformed(`${count} voters, where ${votersMax} are allowed`);
  const voters: NodeId[] = [];
  for (let i = 0; i < count; i++) voters.push(node(r));
  return { ...head, role, standing, ...log, readOnly: intake === "read-only", intake, voters, pid: r.u32() };
}

function decodeFault(r: ByteReader, requestId: number): Fault {
  const code: FaultCode | undefined = faultCodeOf(r.u16());
  if (code === undefined) throw malformed("a fault that this version does not know");
  return {
    type: "fault",
    requestId,
    code,
    retry: oneOf(retries, r.u8()),
    message: r.text(messageCharsMax * 4),
    leader: nodeOrNone(r),
    leaderAddress: r.ascii(addressBytesMax),
  };
}

function logEntry(r: ByteReader): LogEntry {
  return { index: r.u64(), term: r.u64(), body: view(r) };
}
