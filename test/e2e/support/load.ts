import { groupId } from "#core/base/brand";
import { LogError } from "#core/base/errors";
import type { LogClient } from "#prod/log-client";
import { appendOnceFlaw } from "#sim/checker/append-once";
import { linearizableFlaw } from "#sim/checker/linearizable-log";
import { tailFlaw } from "#sim/checker/tail-integrity";
import type { KeyedLog } from "#sim/history/history";
import { internalKey } from "#sim/history/history";
import { decodePayload, encodePayload, payloadKeyOf } from "#sim/history/payload";
import { Recorder } from "#sim/history/recorder";

const now = (): number => Math.floor(performance.now() * 1_000);

/** Clients that append, follow and read, and the history of what they asked and were told. */
export class Load {
  readonly history: Recorder;
  private readonly running: Promise<void>[] = [];
  private readonly abort = new AbortController();
  private stopped = false;
  private clients = 0;

  constructor(group = "default") {
    this.history = new Recorder(groupId(group));
  }

  /** Keeps `inFlight` appends of `bytes` under way. */
  append(client: LogClient, inFlight: number, bytes: number): void {
    const id = this.clients++;
    let count = 0;
    const worker = async (): Promise<void> => {
      while (!this.stopped) {
        const key = payloadKeyOf(id, count++);
        const operation = this.history.append(id, now(), [key]);
        try {
          const { index } = await client.append(encodePayload(key, bytes));
          this.history.appended(operation, now(), [index]);
        } catch (error) {
          if (!(error instanceof LogError)) throw error;
          this.history.refused(operation, now(), error);
          // Its client was closed: it would be told so again at once, for ever.
          if (error.code === "cancelled") return;
        }
      }
    };
    for (let i = 0; i < inFlight; i++) this.running.push(worker());
  }

  /** Follows the log from its beginning. */
  follow(client: LogClient): void {
    const id = this.clients++;
    const tail = this.history.newTail();
    const follow = async (): Promise<void> => {
      let from = 0;
      for await (const { index, data } of client.tail({ signal: this.abort.signal })) {
        this.history.tailed({ client: id, tail, now: now() }, { from, next: index + 1 }, [
          { index, body: data },
        ]);
        from = index + 1;
      }
    };
    this.running.push(
      follow().catch((error: unknown) => {
        if (!(error instanceof LogError) || error.code !== "cancelled") throw error;
      }),
    );
  }

  /** Asks again and again for the end of the log and for an entry near it. */
  read(client: LogClient): void {
    const id = this.clients++;
    const reader = async (): Promise<void> => {
      while (!this.stopped) {
        const operation = this.history.readIndex(id, now());
        try {
          const index = await client.readIndex();
          this.history.confirmed(operation, now(), index);
          if (index >= 0) await this.get(client, id, Math.max(0, index - (index % 7)));
        } catch (error) {
          if (!(error instanceof LogError)) throw error;
          this.history.refused(operation, now(), error);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    this.running.push(reader());
  }

  private async get(client: LogClient, id: number, index: number): Promise<void> {
    const operation = this.history.get(id, now(), index);
    try {
      const { data } = await client.get(index);
      this.history.got(operation, now(), decodePayload(data));
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      if (error.code === "internal-entry") this.history.got(operation, now(), internalKey);
      else this.history.refused(operation, now(), error);
    }
  }

  /** When the first append that was begun after `since` (of performance.now) was acknowledged; undefined while none was. */
  firstAckAfter(sinceMs: number): number | undefined {
    let first: number | undefined;
    for (const operation of this.history.operations) {
      if (operation.kind !== "append" || operation.outcome !== "ok" || operation.invokedAt < sinceMs * 1_000)
        continue;
      const at = operation.returnedAt / 1_000;
      if (first === undefined || at < first) first = at;
    }
    return first;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    setTimeout(() => this.abort.abort(), 200);
    await Promise.all(this.running);
  }

  /** Reads the whole log and runs the simulator's checkers over the history. @returns how many entries clients wrote. */
  async check(client: LogClient): Promise<number> {
    const log = await readWhole(client);
    for (const flawOf of [appendOnceFlaw, linearizableFlaw, tailFlaw]) {
      const flaw = flawOf(this.history, log);
      if (flaw !== undefined) throw new Error(`${flaw.message}\n${flaw.explanation}`);
    }
    return log.filter((key) => key !== internalKey).length;
  }
}

async function readWhole(client: LogClient): Promise<KeyedLog> {
  const end = await client.readIndex();
  const log: number[] = Array.from({ length: end + 1 }, () => internalKey);
  for await (const { index, data } of client.tail({ follow: false })) {
    if (index <= end) log[index] = decodePayload(data);
  }
  return log;
}
