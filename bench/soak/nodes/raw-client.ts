import * as net from "node:net";
import { groupId } from "#core/base/brand";
import { ByteWriter } from "#core/base/bytes";
import type { ClientRequest } from "#core/commitlog/protocol";
import { clientVersionMax, clientVersionMin } from "#core/commitlog/protocol";
import { encodeRequest } from "#core/commitlog/request-codec";
import { splitAddress } from "#prod/address";
import { FrameParser, SocketDuplex } from "#prod/frame-socket";
import { outgoing } from "#prod/frame-stream";
import { encodeGreeting, greetingBytes } from "#prod/greeting";

/** A client's connection without a client behind it: it says hello, and reads or does not as it is told. */
export class RawClient {
  private readonly socket: net.Socket;
  private readonly duplex: SocketDuplex;
  private requests = 0;
  answers = 0;
  ended = false;

  /** @param reads false: answers pile up wherever the other side and the network keep them. */
  constructor(address: string, reads: boolean) {
    this.socket = net.connect(splitAddress(address));
    this.duplex = new SocketDuplex(this.socket, false);
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.ended = true;
    });
    this.socket.write(encodeGreeting("client"));
    if (reads) this.read();
    const hello = {
      type: "client-hello",
      group: groupId("default"),
      cluster: "",
      name: "raw",
      token: "",
    } as const;
    this.send({ ...hello, versionLow: clientVersionMin, versionHigh: clientVersionMax });
  }

  private read(): void {
    const parser = new FrameParser(() => (this.answers += 1));
    let greeted = 0;
    this.socket.on("data", (chunk: Buffer) => {
      const behind = Math.min(chunk.length, greetingBytes - greeted);
      greeted += behind;
      parser.push(chunk.subarray(behind));
    });
  }

  send(...requests: readonly Unnumbered[]): void {
    if (this.ended) return;
    const frames = requests.map((request) => {
      const writer = new ByteWriter();
      this.requests += 1;
      encodeRequest(writer, { ...request, requestId: this.requests } as ClientRequest);
      return writer.finish();
    });
    this.duplex.write(
      frames.map((frame) => outgoing(frame)),
      () => undefined,
    );
  }

  close(): void {
    this.socket.destroy();
    this.ended = true;
  }
}

type Unnumbered = ClientRequest extends infer R ? (R extends unknown ? Omit<R, "requestId"> : never) : never;
