import * as net from "node:net";
import * as tls from "node:tls";
import { LogError } from "../core/base/errors.ts";
import type { Address, CloseReason, Service } from "../core/io/network.ts";
import { splitAddress } from "./address.ts";
import { listenTo } from "./frame-port.ts";
import { SocketDuplex } from "./frame-socket.ts";
import type { Duplex, FrameStream } from "./frame-stream.ts";
import type { Answer, Refused } from "./greeting.ts";
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
  /** It is not let in. Where the two ends do not believe each other, dialling again does not help. */
  refused(refusal: Refused): void;
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
  const ended = (error?: NodeJS.ErrnoException): void => {
    const why = error && whyDistrusted(error, address);
    if (why === undefined) over(lossOf(error));
    else refuse({ code: "not-authorised", why });
  };
  const gone = (): void => ended();
  const greeted = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const answer = answerIn(seen);
    if (answer === undefined) return;
    if (answer instanceof LogError) mistake(answer);
    else if (answer.refusal !== undefined)
      refuse({ ...answer.refusal, why: `${address}: ${answer.refusal.why}` });
    else {
      clearTimeout(late);
      detach();
      const take = listenTo(socket, stream, over);
      stream.opened();
      if (seen.length > answer.bytes) take(seen.subarray(answer.bytes));
    }
  };
  const detach = (): void => {
    socket.off("data", greeted).off("error", ended).off("end", gone).off("close", gone);
  };
  /** What follows from hanging up is no news. */
  const hangUp = (): void => {
    clearTimeout(late);
    detach();
    socket.on("error", () => undefined);
    socket.destroy();
  };
  const refuse = (refusal: Refused): void => {
    hangUp();
    if (!stream.isEnded) options.refused(refusal);
  };
  const mistake = (error: LogError): void => {
    hangUp();
    if (!stream.isEnded) options.mistaken(`${address}: ${error.message}`);
    stream.finish("protocol");
  };
  socket.on("data", greeted).on("error", ended).on("end", gone).on("close", gone);
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
  if (error?.code === "ENOTFOUND" || error?.code === "EAI_AGAIN") return "no-host";
  const nobody = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"];
  return nobody.includes(error?.code ?? "") ? "refused" : "reset";
}
