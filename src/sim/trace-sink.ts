import type { NodeId } from "../core/base/brand.ts";
import type { FaultEvent, Trace, TraceEvent, TraceKind } from "../core/io/trace.ts";
import type { TimedTraceEvent } from "./scenario.ts";
import type { Scheduler } from "./scheduler.ts";
import type { TraceHash } from "./trace-hash.ts";

/** Something that reads events of some kinds while they happen. */
export interface TraceReader {
  readonly kinds: readonly TraceKind[];
  onEvent(event: TraceEvent, at: number): void;
}

/** The trace port of every node of a run: each event is hashed, then handed to those who read its kind, in their order. */
export class TraceSink implements Trace {
  readonly detailed = true;
  private readonly scheduler: Scheduler;
  private readonly hash: TraceHash;
  private readonly readers: { [kind in TraceKind]?: TraceReader[] } = {};
  private readonly everything: ((event: TimedTraceEvent) => void)[] = [];
  private readonly indexes = new Map<string, number>();
  private sequence = 0;
  private closed = false;

  constructor(scheduler: Scheduler, hash: TraceHash) {
    this.scheduler = scheduler;
    this.hash = hash;
  }

  name(id: string, index: number): void {
    this.indexes.set(id, index);
  }

  add(reader: TraceReader): void {
    for (const kind of reader.kinds) {
      const list = this.readers[kind] ?? [];
      list.push(reader);
      this.readers[kind] = list;
    }
  }

  listen(listener: (event: TimedTraceEvent) => void): void {
    this.everything.push(listener);
  }

  /** Nothing that happens after the verdict counts. */
  close(): void {
    this.closed = true;
  }

  emit(event: TraceEvent): void {
    if (this.closed) return;
    const at = this.scheduler.now;
    this.hash.trace(at, this.indexes.get(event.node) ?? -1, event);
    if (this.everything.length > 0) {
      const timed = { at, sequence: ++this.sequence, event };
      for (const listener of this.everything) listener(timed);
    }
    const readers = this.readers[event.kind];
    if (readers === undefined) return;
    for (const reader of readers) reader.onEvent(event, at);
  }

  fault(node: string, fault: string, detail: string): void {
    const event: FaultEvent = { kind: "fault", node: node as NodeId | "", fault, detail };
    this.emit(event);
  }
}
