import type { Entry } from "../core/base/entry.ts";
import type { TraceEvent } from "../core/io/trace.ts";

/** A text's 32-bit hash (FNV-1a over UTF-16 units, finished). */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) | 0;
}

/** What one line of the hash stands for, for a comparison event by event. */
export interface HashObserver {
  hashed(at: number, node: number, kind: number, digest: number): void;
}

/**
 * The rolling 64-bit hash over (sequence, time, node, kind, payload digest) of every scheduler event and every trace
 * event, in two 32-bit lanes. Equal hashes mean that two runs did the same.
 */
export class TraceHash {
  private a = 0x243f6a88 | 0;
  private b = 0x85a308d3 | 0;
  private sequence = 0;
  private readonly texts = new Map<string, number>();
  observer: HashObserver | undefined;

  add(at: number, node: number, kind: number, digest: number): void {
    const sequence = ++this.sequence;
    let a = this.a;
    let b = this.b;
    a = Math.imul(a ^ sequence, 0x9e3779b1);
    b = Math.imul(b ^ at ^ (kind << 24), 0x85ebca6b);
    a = Math.imul((a ^ (a >>> 15) ^ digest) + node, 0xc2b2ae35);
    b = Math.imul((b ^ (b >>> 13)) + digest, 0x27d4eb2f);
    // Times pass 2^32 microseconds after 71 minutes; the upper bits count too.
    const upper = at > 0xffff_ffff ? Math.floor(at / 0x1_0000_0000) : 0;
    this.a = (a ^ (b >>> 16) ^ upper) | 0;
    this.b = (b ^ (a >>> 16)) | 0;
    if (this.observer !== undefined) this.observer.hashed(at, node, kind, digest);
  }

  /** Sixteen hexadecimal digits. */
  digest(): string {
    const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");
    return hex(this.a) + hex(this.b);
  }

  /** The number of lines hashed. */
  get count(): number {
    return this.sequence;
  }

  text(text: string): number {
    let hash = this.texts.get(text);
    if (hash === undefined) {
      hash = hashText(text);
      // Details of faults are all different; the cache is for ids and kinds.
      if (this.texts.size < 4_096) this.texts.set(text, hash);
    }
    return hash;
  }

  /** A trace event. Kinds of the trace are told from those of the scheduler by their upper bits. */
  trace(at: number, node: number, event: TraceEvent): void {
    const kind = this.text(event.kind);
    const group = event.kind === "fault" ? 0 : this.text(event.group);
    this.add(at, node, kind, mix(this.payload(event), group));
  }

  private payload(event: TraceEvent): number {
    switch (event.kind) {
      case "append":
        return mix(entriesDigest(event.entries), event.term);
      case "apply":
        return entriesDigest(event.entries);
      case "sync":
        return number(event.index);
      case "match":
      case "read":
        return mix(number(event.index), event.term);
      case "commit":
        return mix(mix(number(event.index), event.term), event.leader ? 1 : 0);
      case "truncate":
        return number(event.from);
      case "vote":
        return mix(this.text(event.candidate), event.term);
      case "hard-state":
        return mix(this.text(event.votedFor), event.term);
      case "role":
        return mix(
          mix(this.text(event.role), event.term),
          mix(this.text(event.leader), number(event.lastIndex)),
        );
      case "refuse":
        return mix(this.text(event.code), this.text(event.peer));
      default:
        return this.rarePayload(event);
    }
  }

  /** Events off the hot path: every field, in its order of declaration at the emitter sorted by name. */
  private rarePayload(event: TraceEvent): number {
    let digest = 0;
    for (const [name, value] of Object.entries(event).sort(byName)) {
      const field = typeof value === "number" ? number(value) : this.text(String(value));
      digest = mix(digest, mix(this.text(name), field));
    }
    return digest;
  }
}

function byName(x: readonly [string, unknown], y: readonly [string, unknown]): number {
  return x[0] < y[0] ? -1 : x[0] > y[0] ? 1 : 0;
}

/** Folds a number of up to 53 bits (or -1) into 32. */
function number(value: number): number {
  return value >= -0x8000_0000 && value <= 0xffff_ffff
    ? value | 0
    : mix(value | 0, Math.floor(value / 0x1_0000_0000) | 0);
}

export function mix(a: number, b: number): number {
  const h = Math.imul((a ^ (a >>> 16)) + 0x7ed55d16, 0x85ebca6b) ^ b;
  return Math.imul(h ^ (h >>> 13), 0xc2b2ae35) | 0;
}

/** A record's chainCrc stands for it and everything before it. */
function entriesDigest(entries: readonly Entry[]): number {
  const last = entries[entries.length - 1];
  return last === undefined ? 0 : mix(last.chainCrc | 0, mix(number(last.index), entries.length));
}

/** Stands for a frame: its length and all of a short one, head and tail of a long one (its records are hashed by chainCrc). */
export function frameDigest(frame: Uint8Array): number {
  const { length } = frame;
  let h = Math.imul(length, 0x9e3779b1);
  const head = length <= 64 ? length : 40;
  for (let i = 0; i < head; i++) h = Math.imul(h ^ (frame[i] as number), 0x01000193);
  for (let i = Math.max(head, length - 24); i < length; i++)
    h = Math.imul(h ^ (frame[i] as number), 0x01000193);
  return (h ^ (h >>> 15)) | 0;
}
