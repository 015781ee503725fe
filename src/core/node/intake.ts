import type { GroupId, NodeId } from "../base/brand.ts";
import type { Micros } from "../base/units.ts";
import type { Timer } from "../io/clock.ts";
import type { Intake } from "../io/trace.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { NodePorts } from "./ports.ts";

export interface IntakeOptions {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly ports: NodePorts;
  /** Room for less than this, one full message of a leader, is none. */
  readonly roomMin: number;
  /** How often a full disk is asked again. */
  readonly roomInterval: Micros;
  /** Undefined while the log is not open. */
  store(): Pick<LogStore, "lookForRoom"> | undefined;
  /** Bytes that entries of clients may still take on the disk; Number.MAX_SAFE_INTEGER for no bound. */
  room(): number;
  /** What Raft was told last. */
  told(): Intake;
  tell(intake: Intake): void;
}

/** Decides whether entries of clients can be taken here: not when an operator wants it so, nor on a full disk. */
export class IntakeGate {
  private readonly options: IntakeOptions;
  private readOnly: boolean;
  private timer: Timer | undefined;
  private stopped = false;

  constructor(readOnly: boolean, options: IntakeOptions) {
    this.readOnly = readOnly;
    this.options = options;
  }

  /** An operator's wish; it lasts until the process ends. */
  setReadOnly(readOnly: boolean): void {
    this.readOnly = readOnly;
    this.update();
  }

  /** Something may have changed: the disk's room, or the wish. */
  update(): void {
    const { node, group, ports, store, told, tell } = this.options;
    if (store() === undefined || this.stopped) return;
    const room = this.options.room();
    if (room !== Number.MAX_SAFE_INTEGER) this.awaitRoom();
    const intake = this.readOnly ? "read-only" : room < this.options.roomMin ? "full" : "open";
    if (intake === told()) return;
    ports.trace.emit({ kind: "intake", node, group, intake, room });
    tell(intake);
  }

  /** A full disk is asked again from time to time; the store tells what came of it by `update`. */
  private awaitRoom(): void {
    if (this.timer !== undefined) return;
    const { ports, roomInterval, store } = this.options;
    this.timer = ports.clock.at(ports.clock.monotonic() + roomInterval, () => {
      this.timer = undefined;
      store()?.lookForRoom();
    });
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }
}
