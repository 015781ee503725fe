import * as path from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { drive } from "../append/drive.ts";
import { Children, freePorts, isInstalled, persist } from "../support/processes.ts";
import type { Peer, PeerRun } from "./peer.ts";

/** Three members of etcd; an append is a put of a key of its own. */
export const etcd: Peer = {
  name: "etcd, 3 members",
  note: "a majority has synced it",
  missing: () => (isInstalled("etcd") ? undefined : "etcd is not installed (Debian: etcd-server)"),
  start,
};

const callTimeoutMs = 10_000;

async function start(directory: string): Promise<PeerRun> {
  const children = new Children();
  const ports = await freePorts(6);
  const url = (port: number | undefined): string => `http://127.0.0.1:${port}`;
  const members = [0, 1, 2].map((at) => `m${at}=${url(ports[3 + at])}`).join(",");
  for (let at = 0; at < 3; at++) {
    const own = [`--name=m${at}`, `--data-dir=${path.join(directory, `m${at}`)}`, "--log-level=error"];
    const client = [`--listen-client-urls=${url(ports[at])}`, `--advertise-client-urls=${url(ports[at])}`];
    const peer = [
      `--listen-peer-urls=${url(ports[3 + at])}`,
      `--initial-advertise-peer-urls=${url(ports[3 + at])}`,
    ];
    const cluster = [
      `--initial-cluster=${members}`,
      "--initial-cluster-state=new",
      "--quota-backend-bytes=8000000000",
    ];
    children.start("etcd", [...own, ...client, ...peer, ...cluster], "ignore");
  }
  const clients = ports
    .slice(0, 3)
    .map((port) => new Client(`127.0.0.1:${port}`, credentials.createInsecure()));
  const stop = (): Promise<void> => {
    for (const client of clients) client.close();
    return children.stop();
  };
  try {
    const leader = await persist("etcd", () => leaderOf(clients));
    let keys = 0;
    const append = (payload: Uint8Array): Promise<Buffer> => {
      keys += 1;
      const key = Buffer.from(`k${keys}`);
      return call(clients[leader] as Client, "/etcdserverpb.KV/Put", putRequest(key, payload));
    };
    await persist("etcd", () => append(Buffer.from("first")));
    const { pids } = children;
    const leaderFirst = [pids[leader] ?? 0, ...pids.filter((_, at) => at !== leader)];
    return { drive: (load) => drive({ pids: leaderFirst, append }, load), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function call(client: Client, method: string, request: Buffer): Promise<Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    const deadline = { deadline: Date.now() + callTimeoutMs };
    client.makeUnaryRequest(method, same, same, request, deadline, (error, answer) =>
      error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
    );
  });
}

/** The member that says of itself that it leads. */
async function leaderOf(clients: readonly Client[]): Promise<number> {
  for (const [at, client] of clients.entries()) {
    const answer = await call(client, "/etcdserverpb.Maintenance/Status", Buffer.alloc(0));
    // `StatusResponse { ResponseHeader header = 1 { member_id = 2 }; uint64 leader = 4; }`
    const status = fieldsOf(answer);
    const own = fieldsOf(status.get(1) as Buffer).get(2);
    if (own !== undefined && own === status.get(4)) return at;
  }
  throw new Error("no member leads");
}

/** Fields of a message by number: numbers of any size as bigint, everything else as its bytes. */
function fieldsOf(message: Buffer): Map<number, bigint | Buffer> {
  const fields = new Map<number, bigint | Buffer>();
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(number());
    if ((tag & 7) === 0) fields.set(tag >> 3, number());
    else {
      const length = Number(number());
      fields.set(tag >> 3, message.subarray(at, at + length));
      at += length;
    }
  }
  return fields;
}

/** `PutRequest { bytes key = 1; bytes value = 2; }`. */
function putRequest(key: Uint8Array, value: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from([0x0a]),
    varint(key.length),
    key,
    Buffer.from([0x12]),
    varint(value.length),
    value,
  ]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}
