import { LogError } from "../core/base/errors.ts";
import type { TailEvents, TailHandle } from "../core/client/client.ts";
import type { LogEntry } from "../core/commitlog/protocol.ts";

type Batch = readonly LogEntry[];

/** Batches that may wait for the reader; then the tail is paused. */
const batchesMax = 2;

export interface TailIteratorOptions {
  readonly signal: AbortSignal | undefined;
  /** The index behind which the tail ends; Infinity for never. */
  readonly last: number;
  /** The tail fails when nothing comes for this long; undefined for never. */
  readonly idleMsMax: number | undefined;
}

/** Turns the client's tail into batches that a reader asks for. */
export class TailIterator {
  private readonly handle: TailHandle;
  private readonly options: TailIteratorOptions;
  private readonly batches: Batch[] = [];
  private error: Error | undefined;
  private over = false;
  private paused = false;
  private wake: (() => void) | undefined;

  constructor(open: (events: TailEvents) => TailHandle, options: TailIteratorOptions) {
    this.options = options;
    const { signal } = options;
    this.handle = open({
      entries: (batch, next) => this.take(batch, next),
      failed: (error) => this.fail(error),
    });
    signal?.addEventListener("abort", this.aborted, { once: true });
    if (signal?.aborted === true) this.aborted();
  }

  private readonly aborted = (): void => {
    this.batches.length = 0;
    this.fail(new LogError("cancelled", "the tail was cancelled", { cause: this.options.signal?.reason }));
  };

  private take(batch: Batch, next: number): void {
    const wanted = batch.filter((entry) => entry.index <= this.options.last);
    if (wanted.length > 0) this.batches.push(wanted);
    if (next > this.options.last) this.over = true;
    if (this.batches.length >= batchesMax && !this.paused) {
      this.paused = true;
      this.handle.pause();
    }
    this.wakeReader();
  }

  private fail(error: Error): void {
    this.error ??= error;
    this.over = true;
    this.wakeReader();
  }

  private wakeReader(): void {
    this.wake?.();
    this.wake = undefined;
  }

  /** @returns undefined at the end. @throws what ended the tail, once everything before it was given. */
  async next(): Promise<Batch | undefined> {
    while (this.batches.length === 0 && !this.over) {
      if (this.paused) {
        this.paused = false;
        this.handle.resume();
        if (this.batches.length > 0) break;
      }
      await this.awaitNews();
    }
    const batch = this.batches.shift();
    if (batch === undefined && this.error !== undefined) throw this.error;
    return batch;
  }

  private async awaitNews(): Promise<void> {
    const { idleMsMax } = this.options;
    const late =
      idleMsMax === undefined
        ? undefined
        : setTimeout(
            () => this.fail(new LogError("timeout", `no entries came within ${idleMsMax} ms`)),
            idleMsMax,
          );
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    clearTimeout(late);
  }

  close(): void {
    this.over = true;
    this.options.signal?.removeEventListener("abort", this.aborted);
    this.handle.close();
    this.wakeReader();
  }
}
