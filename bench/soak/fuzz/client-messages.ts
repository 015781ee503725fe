import fc from "fast-check";
import { groupId, nodeId } from "#core/base/brand";
import type { FaultCode, Retry } from "#core/base/errors";
import { faultCodes } from "#core/base/errors";
import type { ClientRequest, ClientResponse, NodeStatus } from "#core/commitlog/protocol";
import type { Intake, Role, Standing } from "#core/io/trace";

const u32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.maxSafeNat();
const requestId = u32;
const node = fc.constantFrom("n0", "n1", "Node_3.x").map(nodeId);
const maybeNode = fc.oneof(node, fc.constant("" as const));
const group = fc.constantFrom("g0", "orders-eu").map(groupId);
const address = fc.constantFrom("", "127.0.0.1:40911");
const body = fc.uint8Array({ maxLength: 100 });
const text = fc.string({ maxLength: 60 });
const index = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER - 1 });

/** Any request, as a client may send it. */
export const anyRequest: fc.Arbitrary<ClientRequest> = fc.oneof(
  fc.record({
    type: fc.constant("client-hello" as const),
    requestId,
    versionLow: fc.nat(255),
    versionHigh: fc.nat(255),
    group,
    cluster: fc.constantFrom("", "0123456789abcdef0123456789abcdef"),
    name: text,
    token: text,
  }),
  fc.record({
    type: fc.constant("append" as const),
    requestId,
    session: fc.integer({ min: 1, max: 2 ** 40 }),
    firstSequence: fc.integer({ min: 1, max: 2 ** 40 }),
    bodies: fc.array(body, { minLength: 1, maxLength: 10 }),
  }),
  fc.record({
    type: fc.constant("append" as const),
    requestId,
    session: fc.constant(0),
    firstSequence: fc.constant(0),
    bodies: fc.array(body, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ type: fc.constant("get" as const), requestId, index: u64, linearizable: fc.boolean() }),
  fc.record({
    type: fc.constant("tail" as const),
    requestId,
    from: u64,
    entriesMax: u32,
    bytesMax: u32,
    waitMicros: u64,
    linearizable: fc.boolean(),
  }),
  fc.record({ type: fc.constant("transfer" as const), requestId, to: node }),
  fc.record({ type: fc.constant("set-read-only" as const), requestId, readOnly: fc.boolean() }),
  fc.record({
    type: fc.constantFrom("open-session" as const, "read-index" as const, "status" as const, "ping" as const),
    requestId,
  }),
);

const logEntry = fc.record({ index: u64, term: u64, body });

const status: fc.Arbitrary<NodeStatus> = fc
  .record({
    id: node,
    group,
    cluster: fc.constantFrom("", "0123456789abcdef0123456789abcdef"),
    role: fc.constantFrom<Role>("follower", "pre-candidate", "candidate", "leader"),
    standing: fc.constantFrom<Standing>("member", "wiped", "damaged", "failed"),
    term: u64,
    leader: maybeNode,
    commitIndex: index,
    lastIndex: index,
    chainCrc: u32,
    lag: u64,
    intake: fc.constantFrom<Intake>("open", "read-only", "full"),
    voters: fc.array(node, { maxLength: 7 }),
    pid: u32,
  })
  .map((one) => ({ ...one, readOnly: one.intake === "read-only" }));

/** Any response, as a node may send it. */
export const anyResponse: fc.Arbitrary<ClientResponse> = fc.oneof(
  fc.record({
    type: fc.constant("server-hello" as const),
    requestId,
    version: fc.nat(255),
    node,
    group,
    cluster: fc.constantFrom("", "0123456789abcdef0123456789abcdef"),
    incarnation: fc.constantFrom("", "0123456789abcdef"),
    leader: maybeNode,
    leaderAddress: address,
    limits: fc.record({
      entryBodyBytesMax: u32,
      appendEntriesMax: u32,
      appendBytesMax: u32,
      inFlightMax: u32,
    }),
  }),
  fc.record({ type: fc.constant("session-opened" as const), requestId, session: u64 }),
  fc.record({
    type: fc.constant("appended" as const),
    requestId,
    runs: fc.array(fc.record({ first: u64, count: u32, term: u64 }), { maxLength: 4 }),
  }),
  fc.record({ type: fc.constant("entry" as const), requestId, entry: logEntry }),
  fc.record({
    type: fc.constant("entries" as const),
    requestId,
    next: u64,
    commitIndex: index,
    entries: fc.array(logEntry, { maxLength: 6 }),
  }),
  fc.record({ type: fc.constant("read-index-confirmed" as const), requestId, index }),
  fc.record({ type: fc.constant("status-report" as const), requestId, status }),
  fc.record({
    type: fc.constantFrom("transferred" as const, "read-only-set" as const, "pong" as const),
    requestId,
  }),
  fc.record({
    type: fc.constant("fault" as const),
    requestId,
    code: fc.constantFrom(...(Object.keys(faultCodes) as FaultCode[])),
    retry: fc.constantFrom<Retry>("now", "later", "never", "unknown"),
    message: text,
    leader: maybeNode,
    leaderAddress: address,
  }),
);
