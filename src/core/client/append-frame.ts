import type { ClientResponse } from "../commitlog/protocol.ts";
import type { AppendCall } from "./append-queue.ts";
import type { Turn } from "./client-event.ts";
import type { Link, Waiter } from "./link.ts";

/** What a frame tells the appender that sent it. */
export interface FrameOwner {
  frameAnswered(frame: AppendFrame, response: ClientResponse, link: Link, turn: Turn): void;
  frameLost(frame: AppendFrame, turn: Turn): void;
}

/** One append request: one attempt for each of its calls. */
export class AppendFrame implements Waiter {
  private readonly owner: FrameOwner;
  /** No other frame of its client has it. */
  readonly number: number;
  /** 0 outside a session. */
  readonly session: number;
  /** The sequence of the first body; 0 outside a session. */
  readonly firstSequence: number;
  /** The position of the first call. */
  readonly position: number;
  readonly calls: readonly AppendCall[];
  readonly entries: number;
  /** Its calls are to be sent again anyway, so a refusal of this attempt is no news. */
  superseded = false;

  constructor(
    owner: FrameOwner,
    content: {
      readonly number: number;
      readonly session: number;
      readonly position: number;
      readonly calls: readonly AppendCall[];
      readonly entries: number;
    },
  ) {
    this.owner = owner;
    this.number = content.number;
    this.session = content.session;
    this.position = content.position;
    this.calls = content.calls;
    this.entries = content.entries;
    this.firstSequence = content.calls[0]?.sequence ?? 0;
  }

  /**
   * The calls for which this attempt still counts, each with the offset of its first body among the frame's. One that
   * was let go, or moved to another session, has nothing to do with it any more.
   */
  *current(): Iterable<{ readonly call: AppendCall; readonly offset: number }> {
    let offset = 0;
    for (const call of this.calls) {
      const sequence = this.session === 0 ? 0 : this.firstSequence + offset;
      if (call.state !== "gone" && call.sequence === sequence) yield { call, offset };
      offset += call.bodies.length;
    }
  }

  answered(response: ClientResponse, link: Link, turn: Turn): void {
    this.owner.frameAnswered(this, response, link, turn);
  }

  lost(_link: Link, turn: Turn): void {
    this.owner.frameLost(this, turn);
  }
}

/** The entries of an answer: position i of the frame is at `indexes[i]`, in term `terms[i]`. */
export interface Placed {
  readonly indexes: readonly number[];
  readonly terms: readonly number[];
}

/** @returns undefined unless the answer places each of the frame's entries, and nothing else. */
export function placesOf(response: ClientResponse, entries: number): Placed | undefined {
  if (response.type !== "appended") return undefined;
  const indexes: number[] = [];
  const terms: number[] = [];
  for (const run of response.runs) {
    if (run.count > entries - indexes.length) return undefined;
    for (let i = 0; i < run.count; i++) {
      indexes.push(run.first + i);
      terms.push(run.term);
    }
  }
  return indexes.length === entries ? { indexes, terms } : undefined;
}
