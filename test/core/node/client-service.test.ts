import { expect } from "chai";
import type { GroupId, NodeId } from "#core/base/brand";
import { ByteWriter } from "#core/base/bytes";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd, encodeEntries } from "#core/base/entry";
import { defaultCommitLogLimits } from "#core/commitlog/limits";
import type { ClientRequest, ClientResponse } from "#core/commitlog/protocol";
import { encodeRequest } from "#core/commitlog/request-codec";
import { decodeResponse } from "#core/commitlog/response-codec";
import type { Connection } from "#core/io/network";
import type { TraceEvent } from "#core/io/trace";
import { ClientConnection } from "#core/node/client-service";
import { defaultLimits } from "#core/node/config";
import type { Group } from "#core/node/group";
import type { NodePorts } from "#core/node/ports";
import { ReadTurns } from "#core/node/read-pace";
import { Reads } from "#core/node/reads";

const group = "g0" as GroupId;
const mebibyte = 1_048_576;
const entryBytes = 262_144;
const bufferBytes = 4 * mebibyte;

/** A log of entries of a quarter of a MiB, in memory or on a disk that answers when the test says so. */
class Served {
  readonly entries: Entry[] = encodeEntries(
    emptyLogEnd,
    1,
    Array.from({ length: 32 }, () => ({
      kind: "data" as const,
      body: new Uint8Array(entryBytes),
      session: 0,
      sequence: 0,
    })),
  );
  readonly later: (() => void)[] = [];
  readonly events: TraceEvent[] = [];
  readonly turns: ReadTurns;
  readonly reads: Reads;
  /** Reads of the disk that were asked for and not answered. */
  readonly disk: (() => void)[] = [];
  hot = true;
  private readonly ports: NodePorts;

  constructor() {
    const clock = {
      monotonic: () => 0,
      wall: () => 0,
      at: () => ({ cancel: () => undefined }),
      soon: (fire: () => void) => void this.later.push(fire),
    };
    const trace = { detailed: false, emit: (event: TraceEvent) => void this.events.push(event) };
    this.ports = { clock, trace } as unknown as NodePorts;
    this.turns = new ReadTurns(clock);
    this.reads = new Reads({
      clock,
      tailsWait: () => undefined,
      tailsMax: 9,
      readsMax: 9,
      behind: () => undefined,
      appliedIndex: this.entries.length - 1,
      confirm: () => undefined,
      fromWindow: (first, bytesMax) => (this.hot ? this.upTo(first, bytesMax) : undefined),
      fromDisk: (first, { bytesMax }, done) =>
        void this.disk.push(() =>
          done(undefined, { before: emptyLogEnd, entries: this.upTo(first, bytesMax) }),
        ),
    });
  }

  private upTo(first: number, bytesMax: number): Entry[] {
    return this.entries.slice(first, first + Math.max(1, Math.floor(bytesMax / entryBytes)));
  }

  connect(limits: Partial<typeof defaultLimits> = {}): Client {
    const served = {
      group,
      cluster: "",
      incarnation: "",
      leader: "",
      commitLogLimits: defaultCommitLogLimits,
      get: this.reads.get.bind(this.reads),
      tail: this.reads.tail.bind(this.reads),
    } as unknown as Group;
    const config = { self: "n0" as NodeId, limits: { ...defaultLimits, ...limits } };
    return new Client(
      (connection) =>
        new ClientConnection(
          connection,
          config as ConstructorParameters<typeof ClientConnection>[1],
          this.ports,
          new Map([[group, served]]),
          this.turns,
          () => undefined,
        ),
    );
  }

  /** One turn of the clock. */
  turn(): void {
    for (const fire of this.later.splice(0)) fire();
  }
}

/** A client's end: its answers lie in the connection's buffer until it reads. */
class Client implements Connection {
  readonly answers: ClientResponse[] = [];
  closed = false;
  private readonly server: ClientConnection;
  private queue: Uint8Array[] = [];
  private queued = 0;
  private refused = false;
  private requests = 0;

  constructor(make: (connection: Connection) => ClientConnection) {
    this.server = make(this);
    const hello = { group, cluster: "", name: "reader", token: "" };
    this.ask({ type: "client-hello", ...hello, versionLow: 1, versionHigh: 1 });
  }

  send(frame: Uint8Array): boolean {
    if (this.queued + frame.length > bufferBytes && this.queue.length > 0) {
      this.refused = true;
      return false;
    }
    this.queue.push(frame);
    this.queued += frame.length;
    return true;
  }

  queuedBytes(): number {
    return this.queued;
  }

  close(): void {
    this.closed = true;
  }

  ask(request: Record<string, unknown>): void {
    const writer = new ByteWriter();
    this.requests += 1;
    encodeRequest(writer, { ...request, requestId: this.requests } as unknown as ClientRequest);
    this.server.frame(writer.finish());
  }

  /** Asks for a MiB of the log, over and over, without waiting for an answer. */
  tails(count: number): void {
    const rest = { from: 0, entriesMax: 1_024, waitMicros: 0, linearizable: false };
    for (let n = 0; n < count; n++) this.ask({ type: "tail", bytesMax: mebibyte, ...rest });
  }

  read(): void {
    this.answers.push(...this.queue.splice(0).map(decodeResponse));
    this.queued = 0;
    if (!this.refused) return;
    this.refused = false;
    this.server.drained();
  }

  /** The connection breaks. */
  end(): void {
    this.server.closed();
  }

  get read1MiB(): number {
    return this.answers.filter(({ type }) => type === "entries").length;
  }

  codes(): string[] {
    return this.answers.flatMap((answer) => (answer.type === "fault" ? [answer.code] : []));
  }
}

describe("a client's connection", () => {
  it("gives about a MiB of entries a turn, to all clients together, and each in turn", () => {
    const served = new Served();
    const [one, two] = [served.connect(), served.connect()];
    one.tails(3);
    two.tails(3);
    const seen: number[][] = [];
    for (let turn = 0; turn < 6; turn++) {
      one.read();
      two.read();
      seen.push([one.read1MiB, two.read1MiB]);
      served.turn();
    }
    expect(seen).to.deep.equal([
      [1, 0],
      [2, 0],
      [2, 1],
      [3, 1],
      [3, 2],
      [3, 3],
    ]);
    served.turn();
    expect(served.later, "nobody waits any more").to.have.length(0);
  });

  it("serves whoever reads all that he pipelined", () => {
    const served = new Served();
    const client = served.connect();
    client.tails(64);
    for (let turn = 0; turn < 80; turn++) {
      served.turn();
      client.read();
    }
    expect(client.read1MiB).to.equal(64);
    expect(client.closed).to.equal(false);
  });

  it("fetches no more than its buffer takes for whoever does not read, and goes on where he does", () => {
    for (const hot of [true, false]) {
      const served = new Served();
      served.hot = hot;
      const client = served.connect();
      client.tails(64);
      let fetched = 0;
      for (let turn = 0; turn < 80; turn++) {
        served.turn();
        const reads = served.disk.splice(0);
        expect(reads.length).to.be.at.most(4);
        fetched += reads.length;
        for (const answer of reads) answer();
      }
      if (!hot) expect(fetched).to.be.at.most(8);
      expect(client.queuedBytes()).to.be.at.most(bufferBytes);
      // What is not about entries is answered meanwhile, behind what waits.
      client.ask({ type: "ping" });
      for (let turn = 0; turn < 80; turn++) {
        client.read();
        served.turn();
        for (const answer of served.disk.splice(0)) answer();
      }
      expect(client.read1MiB).to.equal(64);
      expect(client.answers.filter(({ type }) => type === "pong")).to.have.length(1);
      expect(client.closed).to.equal(false);
    }
  });

  it("counts reads that wait among the calls of a connection", () => {
    const served = new Served();
    const client = served.connect({ connectionRequestsMax: 8 });
    client.tails(11);
    client.read();
    // One was answered at once.
    expect(client.codes()).to.deep.equal(["pending-full", "pending-full"]);
  });

  it("ends that of a client that asks on and on and reads nothing, and tells so", () => {
    const served = new Served();
    const client = served.connect({ connectionAnswerBytesMax: 2 * mebibyte, connectionRequestsMax: 8 });
    client.tails(12);
    for (let turn = 0; turn < 20; turn++) served.turn();
    client.tails(8);
    expect(client.closed, "reads alone").to.equal(false);
    // Each is refused, which is an answer too.
    for (let n = 0; n < 20_000; n++) client.tails(1);
    expect(client.closed).to.equal(true);
    served.events.splice(0, served.events.length - 1);
    expect(served.events.map(({ kind }) => kind)).to.deep.equal(["client"]);
    expect(served.events[0]).to.include({ group, name: "reader", change: "unread" });
  });

  it("forgets the reads of a client that is gone, and those of a log that is closed", () => {
    const served = new Served();
    const [gone, here] = [served.connect(), served.connect()];
    gone.tails(3);
    here.tails(2);
    gone.end();
    served.reads.stop();
    for (let turn = 0; turn < 5; turn++) served.turn();
    here.read();
    gone.read();
    expect([gone.read1MiB, here.codes()]).to.deep.equal([1, ["stopping", "stopping"]]);
  });
});
