import { parentPort, workerData } from "node:worker_threads";
import { allDecoders } from "./decoders.ts";
import { feed, newTally } from "./feed.ts";

/** What the thread that feeds is given. */
export interface FeedOrder {
  readonly decoder: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly folder: string;
  /** One number: inputs that are done. It is written after each, so that one that hangs is told by it. */
  readonly done: Int32Array;
}

const order = workerData as FeedOrder;
const decoder = allDecoders(order.folder).find(({ name }) => name === order.decoder);
if (decoder === undefined) throw new Error(`no decoder ${order.decoder}`);
const tally = newTally(decoder.name);
for (const next of feed(decoder, order, tally)) Atomics.store(order.done, 0, next);
parentPort?.postMessage(tally);
