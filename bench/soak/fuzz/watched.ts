import { Worker } from "node:worker_threads";
import type { Progress } from "../support/progress.ts";
import type { Decoder } from "./decoder.ts";
import type { FuzzTally } from "./feed.ts";
import { failureOf, newTally } from "./feed.ts";
import { Inputs } from "./inputs.ts";
import type { FeedOrder } from "./worker.ts";

/** An input that takes longer hangs. A machine that is busy with something else may hold up any input for seconds. */
const hangMs = 20_000;
const lookEveryMs = 100;

/** Feeds a decoder in a thread of its own, which is ended when an input hangs or the user stops. */
export async function feedWatched(
  decoder: Decoder,
  order: Omit<FeedOrder, "decoder" | "done">,
  progress: Progress,
): Promise<FuzzTally> {
  const done = new Int32Array(new SharedArrayBuffer(4));
  done[0] = order.from;
  const workerData: FeedOrder = { ...order, decoder: decoder.name, done };
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData });
  let result: FuzzTally | Error | undefined;
  worker.on("message", (tally: FuzzTally) => {
    result = tally;
  });
  worker.on("error", (error: Error) => {
    result ??= error;
  });
  worker.on("exit", () => {
    result ??= new Error("the thread ended without a result");
  });
  try {
    let seen = order.from;
    for (let seenAt = performance.now(); result === undefined; ) {
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      const now = Atomics.load(done, 0);
      if (now !== seen) [seen, seenAt] = [now, performance.now()];
      progress.step(now - order.from);
      await progress.breathe();
      if (performance.now() - seenAt > hangMs) return broken(decoder, order, seen, "hangs");
    }
    if (result instanceof Error) return broken(decoder, order, seen, `ended its thread: ${result.message}`);
    return result;
  } finally {
    await worker.terminate();
  }
}

function broken(
  decoder: Decoder,
  { seed, from }: { seed: number; from: number },
  input: number,
  what: string,
): FuzzTally {
  const tally = newTally(decoder.name);
  tally.inputs = input - from;
  tally.failures.push(failureOf(decoder, { seed, input }, new Inputs(decoder, seed).at(input), what));
  return tally;
}
