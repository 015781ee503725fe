import type { NodeId } from "#core/base/brand";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import { emptyLogEnd, encodeEntries } from "#core/base/entry";
import { decodeMessage, encodeMessage } from "#core/raft/codec";
import type { Message } from "#core/raft/message";
import { EventHeap } from "#sim/event-heap";
import { frameDigest, TraceHash } from "#sim/trace-hash";
import type { Measurement, Row } from "./measurement.ts";
import { Shortest, timed } from "./measurement.ts";
import { decodeSmall, encodeSmall } from "./small-message.ts";

/** As many events wait at a time as in the ping-pong of five nodes with eight in flight for each pair. */
const waiting = 160;

const recordsRounds = 3;

interface Tick {
  readonly node: NodeId;
}

/** Sends one message both ways through its codec. */
type Codec = (n: number) => Uint8Array;

/** What no simulator of this kind can do without: the heap, a message's codec both ways, the hash. Nothing else. */
function bareLoop(events: number, codec: Codec): string {
  const heap = new EventHeap<Tick>();
  const hash = new TraceHash();
  for (let n = 0; n < waiting; n++) heap.push(n * 37, n, { node: `n${n % 5}` as NodeId });
  for (let n = waiting; n < events + waiting; n++) {
    const now = heap.nextTime();
    const tick = heap.pop();
    if (tick === undefined) throw new Error("the heap lost an event");
    hash.add(now, n % 5, 6, frameDigest(codec(n)));
    heap.push(now + 1 + ((n * 7_919) % 4_096), n, tick);
  }
  return hash.digest();
}

function smallCodec(): Codec {
  const writer = new ByteWriter();
  return (n) => {
    const frame = encodeSmall(writer, n % 8, n);
    if (decodeSmall(frame).prevIndex !== n) throw new Error("not the same message");
    return frame;
  };
}

/** A message of the size that scenarios send most often with records: three small entries, checksums and all. */
function recordsCodec(): Codec {
  const contents = [80, 100, 120].map(
    (bytes) => ({ kind: "data", body: new Uint8Array(bytes).fill(7), session: 3, sequence: 9 }) as const,
  );
  const message: Message = {
    type: "append-entries",
    term: 1,
    prevIndex: emptyLogEnd.index,
    prevTerm: emptyLogEnd.term,
    prevChainCrc: emptyLogEnd.chainCrc,
    prevPos: emptyLogEnd.pos,
    commitIndex: -1,
    entries: encodeEntries(emptyLogEnd, 1, contents),
  };
  const writer = new ByteWriter();
  return () => {
    encodeMessage(writer, message);
    const frame = writer.finish();
    if (decodeMessage(new ByteReader(frame)).type !== "append-entries")
      throw new Error("not the same message");
    return frame;
  };
}

/** (a) The ceiling for everything else. */
export class BareLoop implements Measurement {
  readonly letter = "a";
  private readonly events: number;
  private readonly small = new Shortest();

  constructor(events: number) {
    this.events = events;
  }

  round(): void {
    timed(this.small, () => bareLoop(this.events, smallCodec()));
  }

  get perSecond(): number {
    return this.small.perSecond(this.events);
  }

  rows(): Row[] {
    const unit = "events/s";
    // Behind all rounds of the other: code that has seen both kinds of messages is slower.
    const records = new Shortest();
    for (let n = 0; n < recordsRounds; n++) timed(records, () => bareLoop(this.events, recordsCodec()));
    const value = records.perSecond(this.events);
    return [
      { letter: "a", what: "bare loop: heap, codec, hash; 64-byte messages", value: this.perSecond, unit },
      { letter: "a", what: "  the same, three small entries a message", value, unit },
    ];
  }
}
