import { expect } from "chai";
import type { CloseReason, Connection, ConnectionEvents, Listener, Service } from "#core/io/network";
import { frameBytesMax } from "#core/io/network";
import type { IoHost, IoWorld, MakeIoWorld } from "./world.ts";

/** One end of a connection that remembers what happened to it. */
class End implements ConnectionEvents {
  readonly frames: Uint8Array[] = [];
  readonly log: string[] = [];
  connection: Connection | undefined;
  opens = 0;
  drains = 0;
  closes: CloseReason[] = [];
  onFrame: ((frame: Uint8Array) => void) | undefined;

  opened(): void {
    this.opens += 1;
    this.log.push("opened");
  }

  frame(frame: Uint8Array): void {
    this.frames.push(frame);
    this.log.push("frame");
    this.onFrame?.(frame);
  }

  drained(): void {
    this.drains += 1;
    this.log.push("drained");
  }

  closed(reason: CloseReason): void {
    this.closes.push(reason);
    this.log.push(`closed ${reason}`);
  }

  send(frame: Uint8Array): boolean {
    if (this.connection === undefined) throw new Error("this end is not connected");
    return this.connection.send(frame);
  }
}

interface Server {
  readonly accepted: End[];
  readonly services: Service[];
  readonly listener: Listener;
}

async function listen(world: IoWorld, host: IoHost): Promise<Server> {
  const accepted: End[] = [];
  const services: Service[] = [];
  let outcome: { readonly error: Error | undefined } | undefined;
  let inside = true;
  const listener = host.network.listen(
    world.address,
    (connection, service) => {
      const end = new End();
      end.connection = connection;
      accepted.push(end);
      services.push(service);
      return end;
    },
    (error) => {
      if (inside) throw new Error("told inside the call");
      outcome = { error };
    },
  );
  inside = false;
  await world.settle(() => outcome !== undefined);
  const error = outcome?.error;
  if (error !== undefined) throw error;
  return { accepted, services, listener };
}

function dial(world: IoWorld, address: string, service: Service): End {
  const end = new End();
  end.connection = world.other.network.connect(address, service, end);
  return end;
}

/** The contract of `core/io/network.ts`, without faults. */
export function networkSuite(make: MakeIoWorld): void {
  describe("network", () => {
    let world: IoWorld;
    beforeEach(async () => {
      world = await make();
    });
    afterEach(() => world.dispose());

    for (const service of ["client", "peer-control", "peer-bulk"] as const) {
      it(`opens a ${service} connection and carries frames both ways`, async () => {
        const server = await listen(world, world.host);
        const client = dial(world, world.address, service);
        expect(client.log).to.deep.equal([]);
        await world.settle(() => client.opens === 1 && server.accepted.length === 1);
        expect(server.services).to.deep.equal([service]);
        expect(client.send(Uint8Array.of(1, 2, 3))).to.equal(true);
        const [accepted] = server.accepted as [End];
        await world.settle(() => accepted.frames.length === 1);
        expect([...(accepted.frames[0] as Uint8Array)]).to.deep.equal([1, 2, 3]);
        accepted.send(Uint8Array.of(4));
        await world.settle(() => client.frames.length === 1);
        expect(client.log).to.deep.equal(["opened", "frame"]);
        expect(accepted.opens, "only the dialling side is told of the opening").to.equal(0);
      });
    }

    streamTests(() => world);
    endTests(() => world);
  });
}

function streamTests(world: () => IoWorld): void {
  it("delivers the frames of a stream in order and once, those sent before it opened too", async () => {
    const server = await listen(world(), world().host);
    const client = dial(world(), world().address, "client");
    const sent = 300;
    for (let i = 0; i < sent; i++) client.send(Uint8Array.of(i & 255, i >> 8));
    await world().settle(() => server.accepted[0]?.frames.length === sent);
    const numbers = (server.accepted[0] as End).frames.map(
      (frame) => (frame[0] as number) + 256 * (frame[1] as number),
    );
    expect(numbers).to.deep.equal(Array.from({ length: sent }, (_, i) => i));
  });

  it("carries an empty frame and one of the largest size", async () => {
    const server = await listen(world(), world().host);
    const client = dial(world(), world().address, "client");
    await world().settle(() => client.opens === 1);
    client.send(new Uint8Array(0));
    const largest = new Uint8Array(frameBytesMax);
    largest[frameBytesMax - 1] = 77;
    let taken = client.send(largest);
    if (!taken) {
      await world().settle(() => client.drains > 0);
      taken = client.send(largest);
    }
    expect(taken).to.equal(true);
    await world().settle(() => server.accepted[0]?.frames.length === 2);
    const frames = (server.accepted[0] as End).frames;
    expect(frames.map((frame) => frame.length)).to.deep.equal([0, frameBytesMax]);
    expect(frames[1]?.[frameBytesMax - 1]).to.equal(77);
  });

  it("breaks the connection at a frame above the largest size", async () => {
    await listen(world(), world().host);
    const client = dial(world(), world().address, "client");
    await world().settle(() => client.opens === 1);
    client.send(new Uint8Array(frameBytesMax + 1));
    expect(client.closes).to.deep.equal([]);
    await world().settle(() => client.closes.length === 1);
    expect(client.closes).to.deep.equal(["protocol"]);
  });

  it("takes no frame when its buffer is full, and says when there is room again", async () => {
    const server = await listen(world(), world().host);
    const client = dial(world(), world().address, "client");
    await world().settle(() => client.opens === 1);
    const frame = (): Uint8Array => new Uint8Array(64 * 1_024);
    let sent = 0;
    while (sent < 4_096 && client.send(frame())) sent += 1;
    expect(sent).to.be.within(1, 4_095);
    expect(client.connection?.queuedBytes()).to.be.greaterThan(0);
    expect(client.drains).to.equal(0);
    await world().settle(() => client.drains > 0);
    expect(client.send(frame())).to.equal(true);
    await world().settle(() => server.accepted[0]?.frames.length === sent + 1);
  });
}

function endTests(world: () => IoWorld): void {
  it("refuses when nobody listens", async () => {
    const client = dial(world(), world().silentAddress, "client");
    expect(client.closes).to.deep.equal([]);
    await world().settle(() => client.closes.length > 0);
    expect(client.log).to.deep.equal(["closed refused"]);
  });

  it("tells the other side of a close, behind the frames sent before, and this side nothing more", async () => {
    const server = await listen(world(), world().host);
    const client = dial(world(), world().address, "client");
    await world().settle(() => client.opens === 1);
    client.send(Uint8Array.of(1));
    client.send(Uint8Array.of(2));
    client.connection?.close();
    const accepted = server.accepted[0] as End;
    await world().settle(() => accepted.closes.length === 1);
    expect(accepted.log).to.deep.equal(["frame", "frame", "closed closed"]);
    await world().pass(50_000);
    expect(client.log).to.deep.equal(["opened"]);
  });

  it("calls nothing on an end that was closed inside its own frame", async () => {
    const server = await listen(world(), world().host);
    const client = dial(world(), world().address, "client");
    await world().settle(() => client.opens === 1);
    const accepted = server.accepted[0] as End;
    accepted.onFrame = () => accepted.connection?.close();
    client.send(Uint8Array.of(1));
    client.send(Uint8Array.of(2));
    await world().settle(() => client.closes.length === 1);
    await world().pass(50_000);
    expect(accepted.log).to.deep.equal(["frame"]);
  });

  it("refuses a second listener at one address, and a dial once the listener is closed", async () => {
    const server = await listen(world(), world().host);
    let second: Error | undefined;
    await listen(world(), world().host).catch((error: Error) => {
      second = error;
    });
    expect(second).to.be.instanceOf(Error);
    server.listener.close();
    await world().pass(50_000);
    const client = dial(world(), world().address, "client");
    await world().settle(() => client.closes.length > 0);
    expect(client.closes).to.deep.equal(["refused"]);
  });
}
