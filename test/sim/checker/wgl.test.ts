import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import * as fc from "fast-check";
import type { SequentialModel, TimedCall } from "#sim/checker/wgl";
import { linearizable } from "#sim/checker/wgl";
import { skipLoudly } from "../../support/skip.ts";
import { projectRoot } from "../../support/sources.ts";

/** Where recorded histories with known verdicts may lie beside the project. */
const histories = process.env["QUORUMLOG_HISTORIES"] ?? path.join(projectRoot, "..", "shared", "histories");

type Value = string;
/** `got` undefined: the answer is not known. */
interface RegisterCall {
  readonly op: "read" | "write" | "cas";
  readonly value: Value;
  readonly to: Value;
  readonly got: Value | boolean | undefined;
}

const register: SequentialModel<Value, RegisterCall> = {
  initial: "nil",
  key: (state) => state,
  step(state, { op, value, to, got }) {
    if (op === "read") return got === undefined || got === state ? [state] : [];
    if (op === "write") return [value];
    if (got === undefined) return state === value ? [to, state] : [state];
    return got === (state === value) ? [got ? to : state] : [];
  },
};

interface KeyedCall {
  readonly op: "get" | "put" | "append";
  readonly value: string;
}

const text: SequentialModel<string, KeyedCall> = {
  initial: "",
  key: (state) => state,
  step(state, { op, value }) {
    if (op === "get") return value === state ? [state] : [];
    return [op === "put" ? value : state + value];
  },
};

type Line = readonly [process: string, type: string, op: string, value: string];

/** Pairs invocations with what ended them, by process; `answered` makes the call from both lines. */
function timed<Call>(
  lines: readonly Line[],
  answered: (invoked: Line, ended: Line | undefined) => Call,
): TimedCall<Call>[] {
  const open = new Map<string, { readonly line: Line; readonly at: number }>();
  const calls: TimedCall<Call>[] = [];
  for (const [at, line] of lines.entries()) {
    const [process, type] = line;
    if (type === "invoke") open.set(process, { line, at });
    const began = open.get(process);
    if (type === "invoke" || began === undefined) continue;
    open.delete(process);
    const returnedAt = type === "info" ? Number.POSITIVE_INFINITY : at;
    const ended = type === "info" ? undefined : line;
    calls.push({ call: answered(began.line, ended), invokedAt: began.at, returnedAt });
  }
  for (const { line, at } of open.values())
    calls.push({ call: answered(line, undefined), invokedAt: at, returnedAt: Number.POSITIVE_INFINITY });
  return calls;
}

function registerCall(invoked: Line, ended: Line | undefined): RegisterCall {
  const [, , op, value] = invoked;
  const [expected = "", to = ""] = value.replaceAll(/[[\]]/g, "").split(" ");
  const answer = ended?.[1];
  if (op === "read") {
    return { op, value: "", to: "", got: answer === "ok" ? (ended?.[3] ?? "") : undefined };
  }
  if (op === "write") return { op, value, to: "", got: true };
  return { op: "cas", value: expected, to, got: answer === undefined ? undefined : answer === "ok" };
}

function registerLines(log: string): Line[] {
  const pattern = /^INFO {2}jepsen\.util - (\S+)\t:(\w+)\t:(\w+)\t(.*)$/;
  return log.split("\n").flatMap((line): Line[] => {
    const match = pattern.exec(line);
    return match === null
      ? []
      : [[match[1] as string, match[2] as string, match[3] as string, match[4] as string]];
  });
}

function keyedLines(log: string): Map<string, Line[]> {
  const pattern = /:process (\d+), :type :(\w+), :f :(\w+), :key "([^"]*)", :value (?:"([^"]*)"|nil)/;
  const keys = new Map<string, Line[]>();
  for (const line of log.split("\n")) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const [, process = "", type = "", op = "", key = "", value = ""] = match;
    keys.set(key, [...(keys.get(key) ?? []), [process, type, op, value]]);
  }
  return keys;
}

function verdicts(folder: string): Readonly<Record<string, unknown>> {
  return JSON.parse(fs.readFileSync(path.join(histories, folder, "verdicts.json"), "utf8")) as Record<
    string,
    unknown
  >;
}

describe("the search for a linearization", () => {
  it("agrees with trying all orders on random small histories of a register", () => {
    const call = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(9), fc.nat(5));
    let refused = 0;
    void fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 6 }), (drawn) => {
        const calls = drawn.map(([kind, value, at, length]): TimedCall<RegisterCall> => {
          const name = value === 0 ? "nil" : String(value);
          const op = (["read", "write", "cas"] as const)[kind] ?? "read";
          const got = op === "read" ? name : op === "write" ? true : length % 2 === 0;
          return { call: { op, value: name, to: "1", got }, invokedAt: at, returnedAt: at + length };
        });
        const found = linearizable(register, calls);
        if (found !== true) refused += 1;
        expect(found).to.equal(someOrder(calls, register.initial));
      }),
      { numRuns: 2_000 },
    );
    expect(refused).to.be.within(100, 1_900);
  });

  it("gives up when it is told to", () => {
    const calls = [1, 2, 3].map((n): TimedCall<RegisterCall> => {
      return { call: { op: "write", value: String(n), to: "", got: true }, invokedAt: 0, returnedAt: 9 };
    });
    expect(linearizable(register, calls, 2)).to.equal(undefined);
  });

  describe("on recorded histories", () => {
    before(function () {
      if (!fs.existsSync(histories)) skipLoudly(this, "no recorded histories beside the project");
    });

    it("gives the known verdict on every register history", function () {
      this.timeout(60_000);
      const known = verdicts("register-etcd");
      let checked = 0;
      for (const [name, verdict] of Object.entries(known)) {
        const log = fs.readFileSync(path.join(histories, "register-etcd", fileOf(name, "log")), "utf8");
        expect(linearizable(register, timed(registerLines(log), registerCall)), name).to.equal(verdict);
        checked += 1;
      }
      expect(checked).to.be.greaterThan(10);
    });

    it("gives the known verdict on every key-value history, key by key", () => {
      for (const [name, verdict] of Object.entries(verdicts("kv"))) {
        const log = fs.readFileSync(path.join(histories, "kv", fileOf(name, "txt")), "utf8");
        const all = [...keyedLines(log).values()].map((lines) =>
          linearizable(
            text,
            timed(lines, ([, , op, value], ended): KeyedCall => {
              return { op: op as KeyedCall["op"], value: op === "get" ? (ended?.[3] ?? "") : value };
            }),
          ),
        );
        expect(all.length, name).to.be.greaterThan(1);
        expect(
          all.every((one) => one === true),
          name,
        ).to.equal(verdict);
      }
    });
  });
});

function fileOf(name: string, extension: string): string {
  return name.endsWith(`.${extension}`) ? name : `${name}.${extension}`;
}

/** Tries every order that agrees with real time. */
function someOrder(left: readonly TimedCall<RegisterCall>[], state: Value): boolean {
  if (left.length === 0) return true;
  return left.some((next) => {
    if (left.some((other) => other.returnedAt < next.invokedAt)) return false;
    const rest = left.filter((other) => other !== next);
    return register.step(state, next.call).some((after) => someOrder(rest, after));
  });
}
