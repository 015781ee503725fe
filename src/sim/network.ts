import { LogError } from "../core/base/errors.ts";
import type { Micros } from "../core/base/units.ts";
import type {
  Address,
  CloseReason,
  Connection,
  ConnectionEvents,
  Listener,
  Network,
  Service,
} from "../core/io/network.ts";
import { SimConnection } from "./connection.ts";
import type { Decisions } from "./decisions.ts";
import { Link } from "./link.ts";
import type { SimProcess } from "./process.ts";
import type { SeededRandom } from "./random.ts";
import type { EventTarget, Scheduler, SimEvent } from "./scheduler.ts";
import { callEvent, eventKinds, turnInput } from "./scheduler.ts";
import type { FaultSettings } from "./settings.ts";

type Accept = (connection: Connection, service: Service) => ConnectionEvents;

class SimListener implements Listener {
  readonly host: SimProcess;
  readonly life: number;
  readonly accept: Accept;
  private readonly world: NetworkWorld;
  private readonly address: Address;

  constructor(world: NetworkWorld, address: Address, host: SimProcess, accept: Accept) {
    this.world = world;
    this.address = address;
    this.host = host;
    this.life = host.life;
    this.accept = accept;
  }

  close(): void {
    this.world.forget(this.address, this);
  }
}

/** The wires between all processes of a run. */
export class NetworkWorld implements EventTarget {
  readonly scheduler: Scheduler;
  readonly settings: FaultSettings;
  /** A frame between nodes is lost with this chance, if it is the greater one. */
  peerLoss = 0;
  private readonly random: SeededRandom;
  private readonly decisions: Decisions;
  private readonly machines = new Map<Address, SimProcess>();
  private readonly listeners = new Map<Address, SimListener>();
  private readonly links: (Link | undefined)[][] = [];
  private readonly open: Set<SimConnection>[] = [];
  /** Told when the send buffer of one of the process's connections is full, once until it has drained. */
  queueFull: (host: SimProcess, service: Service) => void = () => {};

  constructor(scheduler: Scheduler, settings: FaultSettings, random: SeededRandom, decisions: Decisions) {
    this.scheduler = scheduler;
    this.settings = settings;
    this.random = random;
    this.decisions = decisions;
  }

  /** Tells which machine an address belongs to, whether or not its process runs. */
  place(address: Address, host: SimProcess): void {
    this.machines.set(address, host);
  }

  link(from: SimProcess, to: SimProcess): Link {
    let row = this.links[from.index];
    if (row === undefined) {
      row = [];
      this.links[from.index] = row;
    }
    let link = row[to.index];
    if (link === undefined) {
      link = new Link(from, to, this.random, this.decisions);
      row[to.index] = link;
    }
    return link;
  }

  /** The open ends of a process. */
  ends(host: SimProcess): Set<SimConnection> {
    let ends = this.open[host.index];
    if (ends === undefined) {
      ends = new Set();
      this.open[host.index] = ends;
    }
    return ends;
  }

  cut(from: SimProcess, to: SimProcess): void {
    this.link(from, to).cuts += 1;
  }

  heal(from: SimProcess, to: SimProcess): void {
    const link = this.link(from, to);
    link.cuts -= 1;
    if (link.cuts > 0) return;
    for (const end of this.ends(from)) if (end.link === link) end.releaseHeld();
  }

  clog(from: SimProcess, to: SimProcess, until: Micros, service?: Service): void {
    this.link(from, to).clog(until, service);
  }

  unclog(from: SimProcess, to: SimProcess): void {
    this.link(from, to).unclog();
  }

  listen(
    host: SimProcess,
    address: Address,
    accept: Accept,
    done: (error: Error | undefined) => void,
  ): Listener {
    const holder = this.listeners.get(address);
    const listener = new SimListener(this, address, host, accept);
    const busy = holder !== undefined && holder.host.life === holder.life && holder.host.up;
    if (!busy) this.listeners.set(address, listener);
    const error = busy ? new LogError("unavailable", `address in use: ${address}`) : undefined;
    this.scheduler.schedule(
      this.scheduler.now,
      callEvent(eventKinds.listening, turnInput, host, 0, () => done(error)),
    );
    return listener;
  }

  forget(address: Address, listener: SimListener): void {
    if (this.listeners.get(address) === listener) this.listeners.delete(address);
  }

  connect(host: SimProcess, address: Address, service: Service, events: ConnectionEvents): SimConnection {
    const { scheduler, settings } = this;
    const machine = this.machines.get(address);
    // An address that is no machine's answers like a machine without the process.
    const out = this.link(host, machine ?? host);
    const end = new SimConnection(this, host, out, service);
    end.events = events;
    const arrives = Math.max(scheduler.now, out.clogUntil) + out.controlLatency(settings);
    if (machine === undefined) {
      end.endLater(arrives, "refused");
      return end;
    }
    if (out.refuse.chance(out.dials++, settings["network.refuse"])) {
      end.endLater(arrives + this.link(machine, host).controlLatency(settings), "refused");
      return end;
    }
    scheduler.schedule(arrives, {
      kind: eventKinds.connect,
      turn: turnInput,
      host: machine,
      life: -1,
      digest: host.index,
      target: this,
      subject: { end, address },
    });
    return end;
  }

  /** A dial reaches the other machine. */
  fire(event: SimEvent): void {
    const { end, address } = event.subject as { readonly end: SimConnection; readonly address: Address };
    const machine = event.host as SimProcess;
    if (end.ended || !end.alive) return;
    const { settings, scheduler } = this;
    const back = this.link(machine, end.host);
    if (end.link.cuts > 0 || back.cuts > 0 || !machine.machineUp) {
      end.endLater(scheduler.now + settings["network.timeout"], "timeout");
      return;
    }
    const listener = this.listeners.get(address);
    const listening = listener !== undefined && machine.up && listener.life === machine.life;
    const answered = Math.max(scheduler.now, back.clogUntil) + back.controlLatency(settings);
    if (!listening) {
      end.endLater(answered, "refused");
      return;
    }
    const accepted = new SimConnection(this, machine, back, end.service);
    end.join(accepted, answered);
    accepted.events = listener.accept(accepted, end.service);
  }

  /**
   * A process is gone. After a kill its machine resets its connections (unless chance hides that from a peer); after a
   * power loss nobody is told.
   */
  processGone(host: SimProcess, how: "kill" | "power"): void {
    for (const end of this.ends(host)) {
      end.ended = true;
      if (how === "kill") end.tellOther("reset");
    }
    this.ends(host).clear();
  }

  /** How long a break takes to reach the other end; undefined when it never does. */
  breakDelay(link: Link, reason: CloseReason): Micros | undefined {
    if (link.cuts > 0) return undefined;
    const hidden =
      reason !== "closed" && link.halfOpen.chance(link.breaks++, this.settings["network.halfOpen"]);
    return hidden ? undefined : link.controlLatency(this.settings);
  }
}

/** The network port of one process for one life. */
export class SimNetwork implements Network {
  private readonly world: NetworkWorld;
  private readonly host: SimProcess;

  constructor(world: NetworkWorld, host: SimProcess) {
    this.world = world;
    this.host = host;
  }

  listen(address: Address, accept: Accept, done: (error: Error | undefined) => void): Listener {
    return this.world.listen(this.host, address, accept, done);
  }

  connect(address: Address, service: Service, events: ConnectionEvents): Connection {
    return this.world.connect(this.host, address, service, events);
  }
}
