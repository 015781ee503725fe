import type { Micros } from "../core/base/units.ts";
import type { Service } from "../core/io/network.ts";
import type { Decisions, Site } from "./decisions.ts";
import type { SimProcess } from "./process.ts";
import type { RandomStream, SeededRandom } from "./random.ts";
import type { FaultSettings } from "./settings.ts";

/** Everything chance decides about the frames of one service from one process to another. */
export interface LinkService {
  readonly latency: RandomStream;
  readonly loss: Site;
  readonly duplicate: Site;
  /** How late second copies are. */
  readonly echo: RandomStream;
  readonly reset: Site;
  readonly stall: Site;
  readonly slow: Site;
  /** Frames so far, over the whole run: the stable number of a frame. */
  frames: number;
}

/** One direction between two processes. */
export class Link {
  readonly from: SimProcess;
  readonly to: SimProcess;
  /** Partitions that cut this direction now; they may overlap. */
  cuts = 0;
  /** Frames wait until this moment. */
  clogUntil: Micros = 0;
  /** Frames of one service wait until this moment. */
  private readonly clogs: { [service in Service]?: Micros } = {};
  readonly refuse: Site;
  readonly halfOpen: Site;
  /** Dials, closings and resets so far: the stable number of each. */
  dials = 0;
  breaks = 0;
  private readonly control: RandomStream;
  private controls = 0;
  private readonly services: { [service in Service]?: LinkService } = {};
  private readonly random: SeededRandom;
  private readonly decisions: Decisions;

  constructor(from: SimProcess, to: SimProcess, random: SeededRandom, decisions: Decisions) {
    this.from = from;
    this.to = to;
    this.random = random;
    this.decisions = decisions;
    const name = `${from.id}>${to.id}`;
    this.control = random.stream(`network(${name})`);
    const site = (kind: string): Site =>
      decisions.site(kind, name, from.id, random.stream(`network(${name}).${kind}`));
    this.refuse = site("refuse");
    this.halfOpen = site("half-open");
  }

  /** Holds up the frames of one service, or all of them. */
  clog(until: Micros, service?: Service): void {
    if (service === undefined) this.clogUntil = Math.max(this.clogUntil, until);
    else this.clogs[service] = Math.max(this.clogs[service] ?? 0, until);
  }

  unclog(): void {
    this.clogUntil = 0;
    for (const service of Object.keys(this.clogs)) delete this.clogs[service as Service];
  }

  /** Until when a frame of the service waits that leaves now. */
  heldUntil(service: Service): Micros {
    return Math.max(this.clogUntil, this.clogs[service] ?? 0);
  }

  service(service: Service): LinkService {
    let found = this.services[service];
    if (found === undefined) {
      const name = `${this.from.id}>${this.to.id}/${service}`;
      const site = (kind: string): Site =>
        this.decisions.site(kind, name, this.from.id, this.random.stream(`network(${name}).${kind}`));
      found = {
        latency: this.random.stream(`network(${name})`),
        loss: site("loss"),
        duplicate: site("duplicate"),
        echo: this.random.stream(`network(${name}).echo`),
        reset: site("reset"),
        stall: site("stall"),
        slow: site("late"),
        frames: 0,
      };
      this.services[service] = found;
    }
    return found;
  }

  /** The delay of a handshake, a close or a reset. */
  controlLatency(settings: FaultSettings): Micros {
    return this.control.between(
      this.controls++,
      settings["network.latencyMin"],
      settings["network.latencyMax"],
    );
  }
}
