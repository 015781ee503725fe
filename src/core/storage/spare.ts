import { assert } from "../base/assert.ts";
import { LogError } from "../base/errors.ts";
import type { Done, Task } from "../base/task.ts";
import { runTask, wait } from "../base/task.ts";
import { DiskFault, isFull } from "../io/disk.ts";
import type { LogFiles } from "./log-files.ts";
import type { OpenedLog } from "./open-log.ts";
import type { Segment } from "./segment.ts";
import { segmentName, unfinishedName } from "./segment.ts";

export interface SpareEvents {
  /** The spare is there, or the disk has no room for it. */
  changed(): void;
  failed(error: Error, operation: string): void;
}

/** Ends the making of a spare that is not wanted any more. */
class GivenUp extends Error {}

/** Of the room that clients' entries have in a segment, the share by whose end the next one is there. */
const aheadShare = 7 / 8;

/**
 * Writes the next segment ahead with zeros, in the background, so that appends never wait for room on the disk: bit by bit, as
 * the one in use fills up, for appends would wait for a whole one that is written at once.
 */
export class Spare {
  private readonly files: LogFiles;
  private readonly reserveBytes: number;
  /** Zeros up to here need not wait. */
  private allowedBytes = 0;
  /** Told when more is allowed. */
  private paused: Done<void> | undefined;
  /** What is being made is not wanted any more. */
  private givenUp = false;
  private readonly events: SpareEvents;
  private segment: Segment | undefined;
  /** The segment that is wanted next. */
  private wanted: number;
  private making = false;
  private stopped = false;
  /** What the making of one failed with: names in the directory are not known any more. */
  private failure: Error | undefined;
  private held = false;
  /** The last attempt found no room. */
  full = false;
  private waiting: Done<Segment> | undefined;
  /** Told when it is time to look for room again. */
  private roomWanted: Done<void> | undefined;
  private idle: Done<void>[] = [];

  constructor(opened: OpenedLog, reserveBytes: number, events: SpareEvents) {
    const { place } = opened.scan;
    this.files = opened.files;
    this.reserveBytes = reserveBytes;
    this.wanted = place.segment + 1;
    this.segment = opened.spare;
    this.events = events;
    this.keepAheadOf(place.offset, this.files.get(place.segment).size);
  }

  get bytes(): number {
    return this.segment?.size ?? 0;
  }

  /** A segment could not grow for want of room: `done` is told when it is time to try again, or that there is none to wait for. */
  awaitRoom(done: Done<void>): void {
    assert(this.roomWanted === undefined, "one writer waits for room");
    this.roomWanted = done;
    this.full = true;
    if (this.stopped) this.give();
    this.events.changed();
  }

  /** Looks for room again: whoever waits for it tries once more. */
  look(): void {
    const { roomWanted } = this;
    this.roomWanted = undefined;
    this.goOn();
    if (roomWanted === undefined) return this.make();
    this.full = this.segment === undefined;
    roomWanted(undefined, undefined);
    this.make();
    this.events.changed();
  }

  /** Makes the spare unless it is there; after `full` this is the retry. */
  make(): void {
    if (this.segment !== undefined || this.making || this.stopped || this.held) return;
    this.making = true;
    runTask(this.create(this.wanted), (error) => {
      this.making = false;
      this.givenUp = false;
      if (isFull(error)) this.full = true;
      // There was room for this, and not yet for what a segment in use is to grow by.
      else if (error === undefined) this.full = this.roomWanted !== undefined;
      else if (!(error instanceof GivenUp) && !isStopping(error)) {
        this.stopped = true;
        this.failure = error;
        this.events.failed(error, "write segment ahead");
      }
      this.events.changed();
      this.give();
      for (const done of this.idle.splice(0)) done(this.failure, undefined);
    });
  }

  private *create(number: number): Task<void> {
    try {
      this.segment = yield* this.files.create(number, (offset) => this.pace(offset));
    } catch (error) {
      // The part that was written gives its room back. After a failure nothing is touched any more, and all is told at
      // once; what is left of the file is removed at the next start.
      if (isFull(error) || error instanceof GivenUp) yield* this.giveBack(number);
      throw error;
    }
  }

  private *pace(offset: number): Task<void> {
    while (offset > this.allowedBytes && !this.hurries) {
      yield* wait<void>((done) => {
        this.paused = done;
      });
    }
    // What is there of it is removed at the next start.
    if (this.stopped) throw new LogError("stopping", "the log is closing");
    if (this.givenUp) throw new GivenUp();
  }

  /** Somebody waits for the spare, or until none is being made, or for its end; or the disk was full, and clients wait to hear that it has room. */
  private get hurries(): boolean {
    return this.stopped || this.full || this.waiting !== undefined || this.idle.length > 0;
  }

  private goOn(): void {
    const { paused } = this;
    this.paused = undefined;
    paused?.(undefined, undefined);
  }

  /** The segment in use, of `size` bytes, is filled up to an offset. Before clients have used up their room, the spare is there. */
  keepAheadOf(offset: number, size: number): void {
    const room = (size - this.reserveBytes) * aheadShare;
    this.allowedBytes = room > offset ? (this.files.segmentBytes * offset) / room : this.files.segmentBytes;
    this.goOn();
  }

  /** Want of room may refuse even this; then the name stays, and to go on as on a full disk would leave it behind a gap. */
  private *giveBack(number: number): Task<void> {
    try {
      yield* this.removeFile(number);
    } catch (error) {
      throw isFull(error) ? new DiskFault("io", `${error.message}, to remove a segment`, error) : error;
    }
  }

  private *removeFile(number: number): Task<void> {
    const { disk, directory } = this.files;
    const names = yield* wait<readonly string[]>((done) => disk.list(directory, done));
    // A name that a full directory could not take is the other one still.
    const left = [unfinishedName(number), segmentName(number)].find((name) => names.includes(name));
    if (left === undefined) return;
    yield* wait<void>((done) => disk.remove(`${directory}/${left}`, done));
    yield* this.files.syncDirectory();
  }

  /** Hands the spare to the log once it is there; then the next one is wanted. */
  take(done: Done<Segment>): void {
    assert(this.waiting === undefined, "one writer waits for the spare");
    this.waiting = done;
    this.make();
    this.give();
    this.goOn();
  }

  private give(): void {
    const { waiting, segment, roomWanted } = this;
    if (roomWanted !== undefined && this.stopped) {
      this.roomWanted = undefined;
      roomWanted(new LogError("stopping", "the log is closing"), undefined);
    }
    if (waiting === undefined) return;
    if (this.stopped) {
      this.waiting = undefined;
      waiting(new LogError("stopping", "the log is closing"), undefined as never);
    } else if (segment !== undefined) {
      this.waiting = undefined;
      this.segment = undefined;
      this.wanted = segment.number + 1;
      waiting(undefined, segment);
    }
  }

  /**
   * Calls `done` when no spare is being made: one that is begun is finished first, or given up. It is told what the making of one
   * failed with: that one may be there or not, and what is removed before it would leave a gap.
   */
  whenIdle(done: Done<void>, begun: "finished" | "given up" = "finished"): void {
    if (!this.making) return done(this.failure, undefined);
    this.idle.push(done);
    if (begun === "given up" && this.waiting === undefined) this.givenUp = true;
    this.goOn();
  }

  /**
   * Another segment is wanted next; it is not made before `release`.
   * @returns the spare that was there and does not fit any more.
   */
  want(number: number): Segment | undefined {
    assert(!this.making, "the spare is changed while none is being made");
    this.held = true;
    this.wanted = number;
    if (this.segment === undefined || this.segment.number === number) return undefined;
    const unfit = this.segment;
    this.segment = undefined;
    return unfit;
  }

  release(): void {
    this.held = false;
    this.make();
  }

  /** Nothing is made or handed out any more. */
  giveUp(): void {
    this.stopped = true;
    this.give();
    this.goOn();
  }

  /** @returns the spare, to be closed. */
  stop(): Segment | undefined {
    this.giveUp();
    const { segment } = this;
    this.segment = undefined;
    return segment;
  }
}

/** What waited was given up because the log is being closed. */
export function isStopping(error: Error): boolean {
  return error instanceof LogError && error.code === "stopping";
}
