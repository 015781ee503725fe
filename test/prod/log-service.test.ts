import { EventEmitter } from "node:events";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { FaultCode } from "#core/base/errors";
import { LogError } from "#core/base/errors";
import type { Done } from "#core/base/task";
import { second } from "#core/base/units";
import type { Clock } from "#core/io/clock";
import type { Node } from "#core/node/node";
import { ReadTurns } from "#core/node/read-pace";
import type { TailAnswer, TailRequest } from "#core/node/reads";
import { LogService } from "#prod/log-service";

const nothing: Omit<TailAnswer, "next"> = { commitIndex: 6, entries: [] };

/** A tail of the only group that follows from index 7, whose node says what the test wants. */
class Followed extends EventEmitter {
  readonly request = { group: "", from: 7, follow: true };
  readonly written: object[] = [];
  readonly froms: number[] = [];
  now = 0;
  ended: { readonly code: status; readonly details: string } | undefined;
  private waiting: Done<TailAnswer> | undefined;
  private paused: (() => void) | undefined;

  constructor() {
    super();
    this.on("error", (error) => {
      this.ended = error;
    });
    const group = {
      leader: "",
      tail: (request: TailRequest, done: Done<TailAnswer>) => {
        this.froms.push(request.from);
        this.waiting = done;
      },
    };
    const turns = { enter: () => undefined, now: () => this.now };
    const node = {
      groups: new Map([["g", group]]),
      takePlace: () => () => undefined,
      readTurns: new ReadTurns({ soon: (act: () => void) => act() } as unknown as Clock),
      config: { limits: { connectionAnswerBytesMax: 32 * 1_024 * 1_024 } },
    } as unknown as Node;
    const service = new LogService(
      () => node,
      turns,
      (then) => {
        this.paused = then;
      },
    );
    service.connected(this.getPeer(), () => 0);
    (service.handlers["Tail"] as unknown as (call: this) => void)(this);
  }

  getPeer(): string {
    return "127.0.0.1:1";
  }

  write(message: object): void {
    this.written.push(message);
  }

  private take(): Done<TailAnswer> {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting === undefined) throw new Error("the node was not asked");
    return waiting;
  }

  refuse(code: FaultCode): this {
    this.take()(new LogError(code, "it knows no leader"), undefined as never);
    return this;
  }

  /** Its pause is over, `later` after the refusal. */
  again(later: number): this {
    this.now += later;
    const { paused } = this;
    this.paused = undefined;
    paused?.();
    return this;
  }

  async answer(next: number): Promise<this> {
    this.take()(undefined, { ...nothing, next });
    await new Promise(setImmediate);
    return this;
  }
}

describe("a tail that follows over gRPC", () => {
  it("lives through an election, and through the next one some time later", async () => {
    const call = new Followed();
    call.refuse("unavailable").again(1 * second);
    await call.answer(8);
    expect(call.ended).to.equal(undefined);
    call.now += 60 * second;
    call
      .refuse("unavailable")
      .again(3 * second)
      .refuse("unavailable")
      .again(0);
    await call.answer(9);
    expect(call.ended).to.equal(undefined);
    expect(call.froms).to.deep.equal([7, 7, 8, 8, 8, 9]);
  });

  it("ends as UNAVAILABLE when the node hears of nothing new for some seconds", () => {
    const call = new Followed();
    call
      .refuse("unavailable")
      .again(3 * second)
      .refuse("unavailable")
      .again(2 * second);
    expect(call.ended).to.equal(undefined);
    call.refuse("unavailable");
    expect(call.ended).to.include({ code: status.UNAVAILABLE, details: "it knows no leader" });
    expect(call.written).to.deep.equal([]);
  });

  it("ends at once for any other reason", () => {
    expect(new Followed().refuse("stopping").ended?.code).to.equal(status.UNAVAILABLE);
    expect(new Followed().refuse("pending-full").ended?.code).to.equal(status.RESOURCE_EXHAUSTED);
  });

  it("asks nothing more once it is cancelled", () => {
    const call = new Followed().refuse("unavailable");
    call.emit("cancelled");
    call.again(1 * second);
    expect(call.froms).to.deep.equal([7]);
  });
});
