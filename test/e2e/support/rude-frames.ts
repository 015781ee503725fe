import * as net from "node:net";
import type { Service } from "#core/io/network";
import { encodeGreeting } from "#prod/greeting";

export const services: readonly Service[] = ["peer-control", "peer-bulk", "client"];

function framed(frame: Uint8Array, length = frame.length): Buffer {
  const out = Buffer.alloc(4 + frame.length);
  out.writeUInt32BE(length);
  out.set(frame, 4);
  return out;
}

/** What must not stand behind a greeting, by name. */
export function rudeFrames(garbage: Buffer): readonly (readonly [what: string, bytes: Buffer])[] {
  return [
    ["half a length", garbage.subarray(0, 3)],
    ["half a frame", framed(garbage).subarray(0, 200)],
    ["a frame that is none", framed(garbage)],
    ["empty frames", Buffer.concat(new Array<Buffer>(1_000).fill(framed(new Uint8Array())))],
    ["the largest length and nothing", framed(new Uint8Array(), 8 * 1_024 * 1_024)],
    ["a length that no frame has", framed(garbage, 0x7fff_ffff)],
    ["something behind the end", Buffer.concat([framed(new Uint8Array(), 0xffff_fffe), framed(garbage)])],
  ];
}

/** Greets, says it, and hangs up soon after. */
export function sayRudely(port: number, service: Service, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port });
    const hangUp = setTimeout(() => socket.resetAndDestroy(), 150);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(hangUp);
      resolve();
    });
    socket.resume();
    socket.write(encodeGreeting(service));
    socket.write(bytes);
  });
}
