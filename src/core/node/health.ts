import type { GroupId, NodeId } from "../base/brand.ts";
import type { Entry } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { Standing } from "../io/trace.ts";
import type { Recovered } from "../storage/log-store.ts";
import type { NodePorts } from "./ports.ts";
import { ReadPatience } from "./read-patience.ts";
import type { DamagedRange, RepairOptions } from "./repair.ts";
import { Repair } from "./repair.ts";

export interface HealthOptions {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly ports: NodePorts;
  readonly repairInterval: Micros;
  damage(): readonly DamagedRange[];
  readonly repair: RepairOptions;
  /** Whether the directory is that of a voter that was never lost. */
  active(): boolean;
  /** The node may take part fully, or only listen; told again when what is damaged has changed. */
  participate(fully: boolean): void;
  /** What could not be read before may be readable now. */
  retryReads(): void;
  /** Damaged records are known from copies: of their terms no more than bounds were. */
  learn(records: readonly Entry[]): void;
}

function divergence(index: number): string {
  return `the log differs from the leader's at ${index}`;
}

/**
 * How far a node may take part. Wiped, damaged and failed nodes neither vote nor lead; damage is mended from peers,
 * never cut; a disk that failed a write or a sync is not trusted again in this life, and a log that differs from its
 * leader's never. Neither is one that cannot read for good what it must: it would lead, and answer nobody.
 */
export class Health {
  readonly repair: Repair;
  private readonly options: HealthOptions;
  private current: Standing = "wiped";
  private why = "starting";
  private armed = false;
  private readonly reads = new ReadPatience();
  private stopped = false;

  constructor(options: HealthOptions) {
    this.options = options;
    this.repair = new Repair(options.repair, {
      placed: (copies) => this.options.learn(copies),
      mended: (range) => this.mended(range),
      failed: (error) => this.diskFailed(error, "mend"),
    });
  }

  get standing(): Standing {
    return this.current;
  }

  get reason(): string {
    return this.why;
  }

  private get at(): { readonly node: NodeId; readonly group: GroupId } {
    return { node: this.options.node, group: this.options.group };
  }

  /** The standing with which a directory begins. */
  begin({ damage, meta }: Pick<Recovered, "damage" | "meta">): void {
    this.reads.clear();
    if (meta.divergedAt !== undefined) {
      this.current = "failed";
      this.why = divergence(meta.divergedAt);
      return;
    }
    this.current = damage.length > 0 ? "damaged" : this.options.active() ? "member" : "wiped";
    this.why = this.options.active() ? "start" : "the group is not known to be active yet";
  }

  set(standing: Standing, reason: string): void {
    if (this.current === "failed") return;
    // Damage that grows or shrinks changes what the node may vouch for.
    if (this.current === standing) return this.options.participate(standing === "member");
    this.current = standing;
    this.why = reason;
    this.options.ports.trace.emit({ kind: "standing", ...this.at, standing, reason });
    this.options.participate(standing === "member");
  }

  /** The directory reached another stage of its life. */
  stageChanged(reason: string): void {
    if (this.current === "damaged" || this.current === "failed") return;
    this.why = reason;
    this.current = this.options.active() ? "member" : "wiped";
    this.options.participate(this.current === "member");
  }

  /** A log that differs from the leader's is not mended by a restart: the directory remembers it. */
  diverged(index: number): void {
    this.set("failed", divergence(index));
  }

  /** After a failed write or sync nothing more may be acknowledged here: what the file holds is unknown. */
  diskFailed(error: Error, operation: string): void {
    this.tellDisk(error, operation);
    this.set("failed", `${operation} failed: ${error.message}`);
  }

  private tellDisk(error: Error, operation: string): void {
    const code = "code" in error ? String(error.code) : error.name;
    this.options.ports.trace.emit({ kind: "disk", ...this.at, code, operation });
  }

  /** What a reader of the log's own could read: the applier, or the loading of entries for a peer. */
  readWorked(reader: string): void {
    this.reads.worked(reader);
  }

  /** An entry that must be there could not be read. @param reader one that asks until it gets it; "" for a client's read. */
  readFailed(index: number, error: Error, reader: string): void {
    if (this.stopped) return;
    if (error instanceof LogError && error.code === "damaged") {
      // Repair goes on until nothing is damaged: what it works on needs no second telling.
      if (this.current === "damaged") this.arm();
      else this.damageFound({ first: index, last: index });
      return;
    }
    const { clock } = this.options.ports;
    const now = clock.monotonic();
    if (reader !== "" && this.reads.failed(reader, error, now) && this.current !== "failed")
      return this.unreadable(index, error);
    clock.at(now + this.options.repairInterval, () => this.options.retryReads());
  }

  /** As after a failed write another leads, clients go elsewhere, and the operator is told. */
  private unreadable(index: number, error: Error): void {
    this.tellDisk(error, "read");
    this.set("failed", `entry ${index} cannot be read, however often it was tried: ${error.message}`);
  }

  damageFound(range: DamagedRange): void {
    if (this.stopped) return;
    const { trace } = this.options.ports;
    trace.emit({ kind: "damage", ...this.at, from: range.first, to: range.last, change: "found" });
    this.set("damaged", `records ${range.first} to ${range.last} cannot be read`);
    this.arm();
  }

  private arm(): void {
    if (this.armed || this.stopped) return;
    this.armed = true;
    const { clock } = this.options.ports;
    clock.at(clock.monotonic() + this.options.repairInterval, () => this.tick());
  }

  private tick(): void {
    this.armed = false;
    if (this.stopped || this.current === "failed") return;
    // A leader's conflicting entries may have cut what was damaged: it was never committed.
    if (this.options.damage().length === 0) return this.healed("the damaged records were cut");
    this.repair.ask();
    this.arm();
  }

  private mended(range: DamagedRange): void {
    const { trace } = this.options.ports;
    trace.emit({ kind: "damage", ...this.at, from: range.first, to: range.last, change: "mended" });
    if (this.options.damage().length > 0) {
      this.options.participate(false);
      return this.repair.ask();
    }
    this.healed("every damaged record was mended");
  }

  /** Nothing is damaged any more. */
  private healed(reason: string): void {
    if (this.current === "failed") return;
    if (this.current === "damaged") this.set(this.options.active() ? "member" : "wiped", reason);
    this.options.retryReads();
  }

  stop(): void {
    this.stopped = true;
  }
}
