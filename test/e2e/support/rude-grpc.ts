import * as http2 from "node:http2";
import { encodeFrames } from "#prod/frame-codec";

export const methods: readonly string[] = [
  "Log/Session",
  "Log/Append",
  "Log/AppendStream",
  "Log/Get",
  "Log/Tail",
  "Log/Nothing",
];

/** gRPC's own header before a message: whether it is compressed, and its length. */
function framed(message: Uint8Array, options: { flag?: number; length?: number } = {}): Buffer {
  const out = Buffer.alloc(5 + message.length);
  out[0] = options.flag ?? 0;
  out.writeUInt32BE(options.length ?? message.length, 1);
  out.set(message, 5);
  return out;
}

/** What a speaker of gRPC must not send, by name. */
export function rudeMessages(garbage: Buffer): readonly (readonly [what: string, bytes: Buffer])[] {
  return [
    ["half a header", framed(garbage).subarray(0, 3)],
    ["half a message", framed(garbage).subarray(0, 200)],
    ["a message that is none", framed(garbage)],
    ["frames that are none", framed(encodeFrames([garbage.subarray(0, 300), new Uint8Array(), garbage]))],
    ["a length without end", framed(garbage, { length: 0xffff_ffff })],
    ["compressed garbage", framed(garbage, { flag: 1 })],
  ];
}

/** Sends bytes as the body of a call, and hangs up soon after. */
export function callRudely(port: number, method: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const call = session.request({
      ":method": "POST",
      ":path": `/quorumlog.v1.${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const hangUp = setTimeout(() => session.destroy(), 150);
    session.on("error", () => undefined);
    session.on("close", () => {
      clearTimeout(hangUp);
      resolve();
    });
    call.on("error", () => undefined);
    call.on("end", () => session.destroy());
    call.resume();
    call.write(bytes);
  });
}
