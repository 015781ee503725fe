import { expect } from "chai";
import fc from "fast-check";
import type { CloseReason, Connection, Service } from "#core/io/network";
import type { FaultSettings } from "#sim/settings";
import { calmSettings } from "#sim/settings";
import { World } from "#sim/world";

interface End {
  connection: Connection;
  readonly frames: number[];
  readonly closes: CloseReason[];
  opened: boolean;
}

/** Two processes, `n0` listening, and what happened between them. */
class Wire {
  readonly world: World;
  readonly server;
  readonly client;
  readonly accepted: End[] = [];
  readonly address = "10.0.0.1:1";

  constructor(settings: Partial<FaultSettings> = {}, seed = 1) {
    this.world = new World({ seed, settings: { ...calmSettings(), ...settings } });
    this.server = this.world.process("n0");
    this.client = this.world.process("n1");
    this.world.begin(this.server);
    this.world.begin(this.client);
    this.world.network.place(this.address, this.server);
    this.listen();
  }

  listen(): void {
    this.world.networkPort(this.server).listen(
      this.address,
      (connection) => {
        const end = this.end(connection);
        this.accepted.push(end);
        return this.events(end);
      },
      () => undefined,
    );
  }

  dial(service: Service): End {
    const end = this.end(undefined as unknown as Connection);
    end.connection = this.world.networkPort(this.client).connect(this.address, service, this.events(end));
    return end;
  }

  run(micros: number): void {
    this.world.scheduler.run(this.world.scheduler.now + micros);
  }

  /** A connection that is up. */
  connected(service: Service): { readonly near: End; readonly far: End } {
    const near = this.dial(service);
    this.run(20_000);
    return { near, far: this.accepted[this.accepted.length - 1] as End };
  }

  cut(): void {
    this.world.network.cut(this.client, this.server);
  }

  heal(): void {
    this.world.network.heal(this.client, this.server);
  }

  private end(connection: Connection): End {
    return { connection, frames: [], closes: [], opened: false };
  }

  private events(end: End) {
    return {
      opened: () => {
        end.opened = true;
      },
      frame: (frame: Uint8Array) => end.frames.push(frame[0] as number),
      drained: () => undefined,
      closed: (reason: CloseReason) => end.closes.push(reason),
    };
  }
}

const second = 1_000_000;

describe("simulated network", () => {
  it("delivers a stream in order and once through cuts, clogs, stalls and late frames, or breaks it", () => {
    const action = fc.constantFrom("send", "send", "send", "cut", "heal", "clog", "pass", "pass");
    fc.assert(
      fc.property(fc.nat(), fc.array(action, { maxLength: 120 }), (seed, actions) => {
        const wire = new Wire(
          { "network.slow": 0.3, "network.stall": 0.1, "network.stallMax": 20_000 },
          seed,
        );
        const { near, far } = wire.connected("client");
        let sent = 0;
        let cuts = 0;
        for (const next of actions) {
          if (next === "send") near.connection.send(Uint8Array.of(sent++));
          else if (next === "cut") {
            wire.cut();
            cuts += 1;
          } else if (next === "heal" && cuts > 0) {
            wire.heal();
            cuts -= 1;
          } else if (next === "clog") {
            wire.world.network.clog(wire.client, wire.server, wire.world.scheduler.now + 5_000);
          } else wire.run(1_000);
        }
        for (; cuts > 0; cuts--) wire.heal();
        wire.run(10 * second);
        expect(far.frames).to.deep.equal(Array.from({ length: far.frames.length }, (_, i) => i));
        if (near.closes.length === 0 && far.closes.length === 0) expect(far.frames.length).to.equal(sent);
      }),
      { numRuns: 80 },
    );
  });

  it("holds up the frames of one service, and no others", () => {
    const wire = new Wire();
    const [control, bulk] = [wire.connected("peer-control"), wire.connected("peer-bulk")];
    const { network, scheduler } = wire.world;
    network.clog(wire.client, wire.server, scheduler.now + second, "peer-bulk");
    for (const { near } of [control, bulk]) near.connection.send(Uint8Array.of(1));
    wire.run(second / 2);
    expect([control.far.frames, bulk.far.frames]).to.deep.equal([[1], []]);
    network.unclog(wire.client, wire.server);
    bulk.near.connection.send(Uint8Array.of(2));
    wire.run(second / 4);
    expect(bulk.far.frames).to.deep.equal([2]);
    wire.run(second);
    expect(bulk.far.frames).to.deep.equal([2, 1]);
  });

  it("resets a stream at a lost frame, and tells both ends", () => {
    const wire = new Wire();
    const { near, far } = wire.connected("client");
    wire.world.settings["network.loss"] = 1;
    near.connection.send(Uint8Array.of(1));
    wire.run(second);
    expect(far.frames).to.deep.equal([]);
    expect([near.closes, far.closes]).to.deep.equal([["reset"], ["reset"]]);
    expect(wire.world.faults.get("loss")).to.equal(1);
  });

  it("loses, doubles and reorders datagrams without breaking their connection", () => {
    const wire = new Wire({ "network.loss": 0.1, "network.duplicate": 0.1, "network.slow": 0.2 });
    const { near, far } = wire.connected("peer-bulk");
    for (let i = 0; i < 200; i++) {
      near.connection.send(Uint8Array.of(i));
      wire.run(300);
    }
    wire.run(second);
    const distinct = new Set(far.frames);
    expect(distinct.size).to.be.within(150, 199);
    expect(far.frames.length).to.be.greaterThan(distinct.size);
    expect(far.frames).to.not.deep.equal([...far.frames].sort((a, b) => a - b));
    expect([near.closes, far.closes]).to.deep.equal([[], []]);
    expect(near.connection.queuedBytes()).to.equal(0);
  });

  it("cuts one way only, and both when both ways are cut", () => {
    const wire = new Wire();
    const { near, far } = wire.connected("peer-control");
    wire.cut();
    near.connection.send(Uint8Array.of(1));
    far.connection.send(Uint8Array.of(2));
    wire.run(100_000);
    expect([near.frames, far.frames]).to.deep.equal([[2], []]);
    wire.heal();
    near.connection.send(Uint8Array.of(3));
    wire.run(100_000);
    expect(far.frames).to.deep.equal([3]);
  });

  it("ends a connection by timeout after long silence, and the other end by reset when it speaks again", () => {
    const wire = new Wire({ "network.timeout": 2 * second });
    const { near, far } = wire.connected("peer-control");
    wire.cut();
    near.connection.send(Uint8Array.of(1));
    wire.run(1.9 * second);
    expect(near.closes).to.deep.equal([]);
    wire.run(0.2 * second);
    expect(near.closes).to.deep.equal(["timeout"]);
    expect(far.closes, "half-open").to.deep.equal([]);
    wire.heal();
    far.connection.send(Uint8Array.of(2));
    wire.run(100_000);
    expect(far.closes).to.deep.equal(["reset"]);
  });

  it("resets connections of a killed process, and refuses dials until it listens again", () => {
    const wire = new Wire();
    const { near } = wire.connected("client");
    wire.server.up = false;
    wire.server.life += 1;
    wire.world.network.processGone(wire.server, "kill");
    wire.run(100_000);
    expect(near.closes).to.deep.equal(["reset"]);
    const refused = wire.dial("client");
    wire.run(100_000);
    expect(refused.closes).to.deep.equal(["refused"]);
    wire.world.begin(wire.server);
    wire.listen();
    const again = wire.dial("client");
    wire.run(100_000);
    expect(again.opened).to.equal(true);
  });

  it("tells nobody of a power loss: frames vanish until the machine is back and resets them", () => {
    const wire = new Wire({ "network.timeout": 5 * second });
    const { near } = wire.connected("client");
    wire.server.up = false;
    wire.server.machineUp = false;
    wire.server.life += 1;
    wire.world.network.processGone(wire.server, "power");
    near.connection.send(Uint8Array.of(1));
    wire.run(second);
    expect(near.closes).to.deep.equal([]);
    const dialled = wire.dial("client");
    wire.run(second);
    expect(dialled.closes, "a machine that is off does not refuse").to.deep.equal([]);
    wire.world.begin(wire.server);
    near.connection.send(Uint8Array.of(2));
    wire.run(100_000);
    expect(near.closes).to.deep.equal(["reset"]);
    wire.run(5 * second);
    expect(dialled.closes).to.deep.equal(["timeout"]);
  });

  it("can hide a break from the other end", () => {
    const wire = new Wire({ "network.halfOpen": 1 });
    const { near } = wire.connected("client");
    wire.server.up = false;
    wire.server.life += 1;
    wire.world.network.processGone(wire.server, "kill");
    wire.run(second);
    expect(near.closes).to.deep.equal([]);
    expect(wire.world.faults.get("half-open")).to.equal(1);
  });

  it("refuses a dial by chance", () => {
    const wire = new Wire({ "network.refuse": 1 });
    const near = wire.dial("client");
    wire.run(100_000);
    expect(near.closes).to.deep.equal(["refused"]);
    expect(wire.accepted).to.have.length(0);
  });

  it("holds what comes for a paused process, and loses none of it", () => {
    const wire = new Wire();
    const { near, far } = wire.connected("client");
    wire.server.paused = true;
    for (let i = 0; i < 5; i++) near.connection.send(Uint8Array.of(i));
    wire.run(20 * second);
    expect(far.frames).to.deep.equal([]);
    expect(near.closes).to.deep.equal([]);
    wire.server.paused = false;
    wire.world.release(wire.server);
    wire.run(100_000);
    expect(far.frames).to.deep.equal([0, 1, 2, 3, 4]);
  });

  it("bounds what is under way in bytes and in frames", () => {
    const wire = new Wire({ "network.bufferBytes": 1_000, "network.bufferFrames": 5 });
    const told: string[] = [];
    wire.world.network.queueFull = (host, service) => {
      told.push(`${host.id} ${service}`);
    };
    const { near } = wire.connected("peer-bulk");
    expect(near.connection.send(new Uint8Array(2_000)), "a frame above the bound passes alone").to.equal(
      true,
    );
    expect([1, 2].map((bytes) => near.connection.send(new Uint8Array(bytes)))).to.deep.equal([false, false]);
    expect(told, "once until it has drained").to.deep.equal(["n1 peer-bulk"]);
    wire.run(100_000);
    expect([1, 2, 3, 4, 5, 6].map(() => near.connection.send(new Uint8Array(10)))).to.deep.equal([
      true,
      true,
      true,
      true,
      true,
      false,
    ]);
  });
});
