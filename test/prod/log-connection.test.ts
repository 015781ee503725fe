import { expect } from "chai";
import type { Clock } from "#core/io/clock";
import { ReadTurns } from "#core/node/read-pace";
import { streamsMax } from "#prod/grpc-options";
import { LogConnection } from "#prod/log-connection";

const mebibyte = 1_024 * 1_024;

describe("a connection of gRPC", () => {
  let turns: (() => void)[];
  let unsent: number;
  let closed: number;
  let connection: LogConnection;
  beforeEach(() => {
    turns = [];
    unsent = 0;
    closed = 0;
    connection = new LogConnection({
      turns: new ReadTurns({ soon: (act: () => void) => void turns.push(act) } as unknown as Clock),
      answerBytesMax: 32 * mebibyte,
      unsentBytes: () => unsent,
      closed: () => {
        closed += 1;
      },
    });
  });

  it("fetches nothing while too much of what was answered is not taken", () => {
    const begun: number[] = [];
    const ask = (n: number): void =>
      connection.gate.admit((loaded) => {
        begun.push(n);
        unsent += 4 * mebibyte;
        loaded();
      });
    for (let n = 0; n < 3; n++) ask(n);
    expect(begun).to.deep.equal([0]);
    connection.drained();
    expect(begun).to.deep.equal([0]);
    unsent = 0;
    connection.drained();
    expect(begun).to.deep.equal([0, 1]);
    connection.close();
    unsent = 0;
    connection.drained();
    connection.close();
    expect([begun.length, closed]).to.deep.equal([2, 1]);
  });

  it("counts what it reads against the turn of all", () => {
    connection.read(
      () => undefined,
      () => mebibyte,
    )(undefined, "an entry");
    const begun: string[] = [];
    connection.gate.admit((loaded) => {
      begun.push("in a later turn");
      loaded();
    });
    expect(begun).to.have.length(0);
    for (const turn of turns.splice(0)) turn();
    expect(begun).to.deep.equal(["in a later turn"]);
  });

  it("refuses reads beyond a bound until others are answered", () => {
    const read = () =>
      connection.read(
        () => undefined,
        () => 0,
      );
    const reads = Array.from({ length: 4 * streamsMax }, read);
    expect(read).to.throw("wait for their answer");
    reads[0]?.(undefined, undefined);
    expect(read).not.to.throw();
  });
});
