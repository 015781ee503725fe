import * as http2 from "node:http2";
import type { Pressure } from "./pressure.ts";

const entryBytes = 4 * 1_024 * 1_024;
/** Calls a connection: of half-sent messages of this many bytes, and reads of an entry as large. */
const appendsEach = 32;
const readsEach = 60;
/** Long enough for a connection to send its part of what a node keeps for all. */
const ticksEach = 8;

/** gRPC's header: not compressed, and the length of the message. */
function header(length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

const half: Buffer = Buffer.concat([header(entryBytes), Buffer.alloc(entryBytes - 1)]);

/** `GetRequest`: a number in field 2. */
function getOf(index: number): Buffer {
  const digits: number[] = [];
  for (let left = index; ; left = Math.floor(left / 128)) {
    digits.push(left < 128 ? left : (left % 128) + 128);
    if (left < 128) break;
  }
  return Buffer.concat([header(1 + digits.length), Buffer.from([0x10, ...digits])]);
}

/**
 * Connections of gRPC that send messages and stop before the end, and others that read large entries with a closed
 * window. Every few ticks one of them leaves and comes again.
 */
export function rudeCalls(address: string, largeIndex: number, count: number): Pressure {
  const sessions: http2.ClientHttp2Session[] = [];
  let connections = 0;
  let ticks = 0;
  let refused = 0;
  let answered = 0;
  const connect = (reads: boolean): http2.ClientHttp2Session => {
    connections += 1;
    const session = http2.connect(`http://${address}`, { settings: { initialWindowSize: 0 } });
    session.on("error", () => undefined);
    session.once("remoteSettings", () => {
      for (let n = 0; n < (reads ? readsEach : appendsEach); n++) call(session, reads);
    });
    return session;
  };
  const call = (session: http2.ClientHttp2Session, reads: boolean): void => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/quorumlog.v1.Log/${reads ? "Get" : "Append"}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    stream.on("response", () => {
      answered += 1;
    });
    stream.on("close", () => {
      if (stream.rstCode === http2.constants.NGHTTP2_ENHANCE_YOUR_CALM) refused += 1;
    });
    if (reads) stream.end(getOf(largeIndex));
    else stream.write(half);
  };
  return {
    name: `${count} connections of gRPC, half of them half-sent`,
    begin: async () => {
      for (let n = 0; n < count; n++) sessions.push(connect(n % 2 === 0));
    },
    tick: () => {
      if (++ticks % ticksEach !== 0) return;
      const at = (ticks / ticksEach) % count;
      sessions[at]?.destroy();
      sessions[at] = connect(at % 2 === 0);
    },
    end: async () => {
      for (const session of sessions) session.destroy();
      return `${connections} connections, ${refused} half-sent messages refused, ${answered} reads answered`;
    },
    flaw: () =>
      refused + answered === 0
        ? "no call was answered, and none refused: they pressed too little"
        : undefined,
  };
}
