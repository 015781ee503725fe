import * as net from "node:net";
import * as tls from "node:tls";
import { LogError } from "../core/base/errors.ts";
import type { Address, CloseReason, Service } from "../core/io/network.ts";
import { splitAddress } from "./address.ts";
import { listenTo } from "./frame-port.ts";
import { SocketDuplex } from "./frame-socket.ts";
import type { Duplex, FrameStream } from "./frame-stream.ts";
import type { Answer } from "./greeting.ts";
import { decodeAnswer, encodeGreeting } from "./greeting.ts";
import type { TlsDial } from "./tls-dial.ts";
import { tlsOptions, whyDistrusted } from "./tls-dial.ts";

/** A connection that is not welcomed by then ends with `timeout`. */
const welcomeMsMax = 3_000;

export interface DialledOptions {
  readonly address: Address;
  readonly service: Service;
  readonly stream: FrameStream;
  /** Without it everything is plain text. */
  readonly dial: TlsDial | undefined;
  /** The two ends do not believe each other: dialling again does not help. */
  refused(why: string): void;
  /** What answered speaks something else. */
  mistaken(why: string): void;
}

/** Dials, greets, and gives the stream what comes behind the answer. The events come in turns of their own. */
export function dial(options: DialledOptions): Duplex {
  const { address, service, stream } = options;
  const socket = connected(options);
  socket.write(encodeGreeting(service));
  let seen: Buffer = Buffer.alloc(0);
  const late = setTimeout(() => stream.finish("timeout", true), welcomeMsMax);
  const over = (reason: CloseReason): void => {
    clearTimeout(late);
    stream.finish(reason);
  };
  const refuse = (why: string): void => {
    clearTimeout(late);
    socket.removeAllListeners("data");
    if (!stream.isEnded) options.refused(why);
    socket.destroy();
  };
  const ended = (error: NodeJS.ErrnoException | undefined): void => {
    const why = error && whyDistrusted(error, address);
    if (why === undefined) over(lossOf(error));
    else refuse(why);
  };
  socket.on("data", (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const answer = answerIn(seen);
    if (answer === undefined) return;
    if (answer instanceof LogError) {
      if (!stream.isEnded) options.mistaken(`${address}: ${answer.message}`);
      stream.finish("protocol", true);
      return over("protocol");
    }
    if (answer.refusal !== undefined) return refuse(`${address}: ${answer.refusal}`);
    clearTimeout(late);
    socket.removeAllListeners("data").removeAllListeners("end").removeAllListeners("close");
    socket.removeListener("error", ended);
    const take = listenTo(socket, stream, over);
    stream.opened();
    if (seen.length > answer.bytes) take(seen.subarray(answer.bytes));
  });
  socket.on("error", ended);
  socket.on("end", () => ended(undefined));
  socket.on("close", () => ended(undefined));
  return new SocketDuplex(socket, false);
}

function connected({ address, dial: secured }: DialledOptions): net.Socket {
  const to = { ...splitAddress(address), noDelay: true };
  return secured === undefined ? net.connect(to) : tls.connect({ ...to, ...tlsOptions(secured, address) });
}

function answerIn(seen: Uint8Array): Answer | LogError | undefined {
  try {
    return decodeAnswer(seen);
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
}

/** `refused` and `reset` tell of a process that is gone. */
function lossOf(error: NodeJS.ErrnoException | undefined): CloseReason {
  if (error?.code === "ETIMEDOUT") return "timeout";
  const nobody = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"];
  return nobody.includes(error?.code ?? "") ? "refused" : "reset";
}
