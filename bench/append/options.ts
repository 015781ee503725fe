import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const usage = `Usage: npm run bench -- append [options]

Appends to three processes on this machine, and in turns to the same of NATS JetStream (as it comes, and synced), etcd and
DLedger where they are installed. Figures of one run may be compared with each other only.

  --bytes N,N        sizes of an entry (128,1024,16384)
  --in-flight N,N    appends under way at a time (1,16,256,1024)
  --seconds N        for each of them, after a second that does not count (3)
  --rounds N         each system in turn, so often; the median is told (3)
  --only NAME,NAME   of quorumlog, nats, nats-always, etcd, dledger
  --alone            the same as --only quorumlog
  --nats-server FILE the server of NATS (nats-server)
  --dledger DIR      DLedger's programs (../shared/peers/apache/dledger)
  --dir DIR          where the data goes (the system's temporary directory)
  --json             one JSON object instead of the table`;

export const systemNames = ["quorumlog", "nats", "nats-always", "etcd", "dledger"] as const;
export type SystemName = (typeof systemNames)[number];

export interface AppendOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly bytes: readonly number[];
  readonly inFlight: readonly number[];
  readonly only: readonly SystemName[];
  readonly natsServer: string;
  readonly dledger: string;
  readonly directory: string;
  readonly json: boolean;
}

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** @throws Error that says what is wrong. */
export function parseOptions(args: readonly string[]): AppendOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "3" },
      rounds: { type: "string", default: "3" },
      bytes: { type: "string", default: "128,1024,16384" },
      "in-flight": { type: "string", default: "1,16,256,1024" },
      only: { type: "string", default: systemNames.join(",") },
      alone: { type: "boolean", default: false },
      "nats-server": { type: "string", default: "nats-server" },
      dledger: { type: "string", default: path.resolve(root, "../shared/peers/apache/dledger") },
      dir: { type: "string", default: os.tmpdir() },
      json: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 0.1 && seconds <= 3_600))
    throw new Error(`--seconds is ${values.seconds}; allowed are 0.1 to 3600`);
  return {
    seconds,
    rounds: numbers("rounds", values.rounds)[0] ?? 1,
    bytes: numbers("bytes", values.bytes),
    inFlight: numbers("in-flight", values["in-flight"]),
    only: values.alone ? ["quorumlog"] : systems(values.only),
    natsServer: values["nats-server"],
    dledger: values.dledger,
    directory: values.dir,
    json: values.json,
  };
}

function numbers(name: string, text: string): number[] {
  const all = text.split(",").map(Number);
  if (all.some((value) => !Number.isSafeInteger(value) || value < 1))
    throw new Error(`--${name} is ${text}; allowed are whole numbers from 1`);
  return all;
}

function systems(text: string): SystemName[] {
  const wanted = text.split(",");
  const unknown = wanted.find((name) => !systemNames.includes(name as SystemName));
  if (unknown !== undefined) throw new Error(`no system ${unknown}; there are ${systemNames.join(", ")}`);
  return systemNames.filter((name) => wanted.includes(name));
}
