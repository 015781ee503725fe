import { ByteWriter } from "#core/base/bytes";
import { millisecond } from "#core/base/units";
import type { Connection, ConnectionEvents } from "#core/io/network";
import type { SimProcess } from "#sim/process";
import type { FaultSettings } from "#sim/settings";
import { calmSettings } from "#sim/settings";
import { World } from "#sim/world";
import type { Measurement, Row } from "./measurement.ts";
import { atLeast, Shortest, shareOf, timed } from "./measurement.ts";
import { decodeSmall, encodeSmall } from "./small-message.ts";

export const pingPongNodes = 5;
/** Messages under way from each node to each other one. */
export const pingPongInFlight = 8;
/** A call without an answer is made again: the network loses some. */
const resendAfter = 10 * millisecond;
const seed = 42;

function faults(): FaultSettings {
  return {
    ...calmSettings(),
    "network.loss": 0.01,
    "network.duplicate": 0.01,
    "network.slow": 0.01,
    "network.slowMax": 20 * millisecond,
  };
}

/** Counts what arrives, at any node, and ends the run at the last message. */
class Tally {
  delivered = 0;
  private readonly messages: number;
  private readonly world: World;

  constructor(messages: number, world: World) {
    this.messages = messages;
    this.world = world;
  }

  count(): void {
    this.delivered += 1;
    if (this.delivered === this.messages) this.world.scheduler.stop();
  }
}

/** The side that answers: every call comes back with the next number. */
class Answering implements ConnectionEvents {
  private readonly writer = new ByteWriter();
  private readonly connection: Connection;
  private readonly tally: Tally;

  constructor(connection: Connection, tally: Tally) {
    this.connection = connection;
    this.tally = tally;
  }

  frame(frame: Uint8Array): void {
    this.tally.count();
    const { prevPos, prevIndex } = decodeSmall(frame);
    this.connection.send(encodeSmall(this.writer, prevPos, prevIndex + 1));
  }

  opened(): void {}
  drained(): void {}
  closed(): void {}
}

/** The side that calls: an answer it waits for is the next call; what came twice or too late is left. */
class Calling implements ConnectionEvents {
  private readonly writer = new ByteWriter();
  private readonly counts = new Float64Array(pingPongInFlight);
  private readonly calledAt = new Float64Array(pingPongInFlight);
  private readonly world: World;
  private readonly process: SimProcess;
  private readonly tally: Tally;
  private readonly connection: Connection;
  private readonly clock: ReturnType<World["clock"]>;

  constructor(world: World, process: SimProcess, address: string, tally: Tally) {
    this.world = world;
    this.process = process;
    this.tally = tally;
    this.clock = this.world.clock(this.process);
    this.connection = world.networkPort(process).connect(address, "peer-bulk", this);
  }

  opened(): void {
    for (let token = 0; token < pingPongInFlight; token++) this.call(token);
    this.watch();
  }

  frame(frame: Uint8Array): void {
    this.tally.count();
    const { prevPos: token, prevIndex } = decodeSmall(frame);
    if (prevIndex !== (this.counts[token] as number) + 1) return;
    this.counts[token] = prevIndex + 1;
    this.call(token);
  }

  drained(): void {}
  closed(): void {}

  private call(token: number): void {
    this.calledAt[token] = this.clock.monotonic();
    this.connection.send(encodeSmall(this.writer, token, this.counts[token] as number));
  }

  private watch(): void {
    const now = this.clock.monotonic();
    for (let token = 0; token < pingPongInFlight; token++)
      if (now - (this.calledAt[token] as number) >= resendAfter) this.call(token);
    this.clock.at(now + resendAfter, () => this.watch());
  }
}

/** @returns the run's hash. */
export function pingPong(messages: number): string {
  const world = new World({ seed, settings: faults() });
  const tally = new Tally(messages, world);
  const players = Array.from({ length: pingPongNodes }, (_, i) => {
    const process = world.process(`n${i}`);
    world.begin(process);
    const address = `10.0.0.${i + 1}:9000`;
    world.network.place(address, process);
    world.networkPort(process).listen(
      address,
      (connection) => new Answering(connection, tally),
      () => {},
    );
    return { process, address };
  });
  for (const { process } of players) {
    for (const { process: other, address } of players)
      if (other !== process) new Calling(world, process, address, tally);
  }
  world.scheduler.run(Number.POSITIVE_INFINITY);
  if (tally.delivered < messages) throw new Error("the ping-pong came to a stop");
  return world.hash.digest();
}

/** (b) The work of `peers/simulators`: 64-byte messages echoed between five nodes, here with faults, codec and hash. */
export class PingPong implements Measurement {
  readonly letter = "b";
  private readonly messages: number;
  private readonly shortest = new Shortest();
  private hash = "";

  constructor(messages: number) {
    this.messages = messages;
  }

  round(): void {
    const hash = timed(this.shortest, () => pingPong(this.messages));
    if (this.hash !== "" && hash !== this.hash) throw new Error("two runs of one seed differ");
    this.hash = hash;
  }

  rows(bare: number | undefined): Row[] {
    const value = this.shortest.perSecond(this.messages);
    const goal = bare === undefined ? {} : atLeast(value, bare / 2, "half of (a)");
    const what = "ping-pong of 64 bytes: faults, codec, hash";
    return [{ letter: "b", what, value, unit: "messages/s", ...shareOf(value, bare), ...goal }];
  }
}
