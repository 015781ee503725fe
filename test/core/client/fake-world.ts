import type { Micros } from "#core/base/units";
import type { Clock, Timer } from "#core/io/clock";
import type {
  Address,
  CloseReason,
  Connection,
  ConnectionEvents,
  Listener,
  Network,
  Service,
} from "#core/io/network";
import type { Random } from "#core/io/random";

interface Due {
  readonly at: Micros;
  readonly order: number;
  readonly fire: () => void;
}

/** A clock whose time passes only while `run` is called. */
export class FakeClock implements Clock {
  private now: Micros = 1_000;
  private due: Due[] = [];
  private orders = 0;

  monotonic(): Micros {
    return this.now;
  }

  wall(): Micros {
    return this.now;
  }

  at(deadline: Micros, fire: () => void): Timer {
    const item = { at: Math.max(deadline, this.now), order: this.orders++, fire };
    this.due.push(item);
    return {
      cancel: () => {
        this.due = this.due.filter((other) => other !== item);
      },
    };
  }

  soon(fire: () => void): void {
    this.at(this.now, fire);
  }

  /** Fires what falls due within `micros`, in order. @returns how many turns there were. */
  run(micros: Micros): number {
    const end = this.now + micros;
    for (let turns = 0; ; turns++) {
      let next: Due | undefined;
      for (const item of this.due) {
        if (next === undefined || item.at < next.at || (item.at === next.at && item.order < next.order)) {
          next = item;
        }
      }
      if (next === undefined || next.at > end) {
        this.now = end;
        return turns;
      }
      const chosen = next;
      this.due = this.due.filter((other) => other !== chosen);
      this.now = chosen.at;
      chosen.fire();
    }
  }
}

/** What a listening node does with a frame; `answer` sends one back. */
export interface FakePeer {
  frame(frame: Uint8Array, link: FakeLink): void;
}

/** The accepted side of one connection. */
export class FakeLink {
  private readonly world: FakeNetwork;
  private readonly events: ConnectionEvents;
  readonly address: Address;
  open = true;
  /** What the client sent before a reset arrives all the same. */
  lingers = false;
  delay: Micros;
  /** Answers do not arrive any more: the other half of a half-open connection. */
  mute = false;
  /** Frames that the client's side takes before it says that its buffer is full. */
  room = Number.POSITIVE_INFINITY;

  constructor(world: FakeNetwork, address: Address, events: ConnectionEvents) {
    this.world = world;
    this.address = address;
    this.events = events;
    this.delay = world.delay;
  }

  answer(frame: Uint8Array): void {
    if (!this.mute) this.later(() => this.events.frame(frame));
  }

  drained(room: number): void {
    this.room = room;
    this.later(() => this.events.drained());
  }

  /** Breaks the connection; what is on its way in either direction is lost. */
  reset(reason: CloseReason = "reset"): void {
    if (!this.open) return;
    this.open = false;
    this.world.links.delete(this);
    this.world.clock.at(this.world.clock.monotonic() + this.world.delay, () => {
      if (!this.closedByClient) this.events.closed(reason);
    });
  }

  closedByClient = false;

  later(act: () => void): void {
    this.world.clock.at(this.world.clock.monotonic() + this.delay, () => {
      if (this.open && !this.closedByClient) act();
    });
  }
}

/** A network of scripted peers. */
export class FakeNetwork implements Network {
  readonly clock: FakeClock;
  readonly peers = new Map<Address, FakePeer>();
  readonly links = new Set<FakeLink>();
  readonly dialled: Address[] = [];
  /** Addresses that swallow the dial: neither opened nor refused. */
  readonly silent = new Set<Address>();
  delay: Micros = 100;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  linksTo(address: Address): FakeLink[] {
    return [...this.links].filter((link) => link.address === address);
  }

  listen(): Listener {
    throw new Error("clients do not listen");
  }

  connect(address: Address, _service: Service, events: ConnectionEvents): Connection {
    this.dialled.push(address);
    const link = new FakeLink(this, address, events);
    this.links.add(link);
    if (!this.peers.has(address)) link.reset("refused");
    else if (!this.silent.has(address)) link.later(() => events.opened());
    return {
      send: (frame) => {
        if (link.room <= 0) return false;
        link.room -= 1;
        // What was sent before the client closed its side still arrives, as bytes in a socket's buffer do.
        this.clock.at(this.clock.monotonic() + link.delay, () => {
          if (link.open || link.lingers) this.peers.get(address)?.frame(frame, link);
        });
        return true;
      },
      queuedBytes: () => 0,
      close: () => {
        link.closedByClient = true;
        this.links.delete(link);
      },
    };
  }
}

/** Keyed chance from a small integer hash. */
export function fakeRandom(seed: number): Random {
  return {
    draw(_stream, key) {
      let h = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(key + 1, 0xc2b2_ae35);
      h = Math.imul(h ^ (h >>> 15), 0x2c1b_3c6d);
      h = Math.imul(h ^ (h >>> 13), 0x297a_2d39);
      return (h ^ (h >>> 16)) >>> 0;
    },
  };
}
