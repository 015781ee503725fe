import * as path from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { Children, freePorts, persist } from "../support/processes.ts";
import type { Peer, PeerRun } from "./peer.ts";

/** Three members of etcd; an append is a put of a key of its own. */
export const etcd: Peer = {
  name: "etcd, 3 members",
  program: "etcd",
  note: "acknowledged once a majority has synced it",
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
  const client = new Client(`127.0.0.1:${ports[0]}`, credentials.createInsecure());
  let keys = 0;
  const append = (payload: Uint8Array): Promise<void> => {
    keys += 1;
    const request = putRequest(Buffer.from(`k${keys}`), payload);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        "/etcdserverpb.KV/Put",
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        request,
        { deadline: Date.now() + callTimeoutMs },
        (error) => (error === null ? resolve() : reject(error)),
      );
    });
  };
  await persist("etcd", () => append(Buffer.from("first")));
  return {
    append,
    stop: () => {
      client.close();
      return children.stop();
    },
  };
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
