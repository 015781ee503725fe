import type { ClientDuplexStream } from "@grpc/grpc-js";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { groupId } from "#core/base/brand";
import { ByteWriter } from "#core/base/bytes";
import type { ClientRequest } from "#core/commitlog/protocol";
import { clientVersionMax, clientVersionMin } from "#core/commitlog/protocol";
import { encodeRequest } from "#core/commitlog/request-codec";
import { clientOptions } from "#prod/grpc-options";
import type { Frames } from "#prod/proto";
import { sessionMethod } from "#prod/proto";

/** A client's connection without a client behind it: it says hello, and reads or does not as it is told. */
export class RawClient {
  private readonly client: Client;
  private readonly call: ClientDuplexStream<Frames, Frames>;
  private requests = 0;
  answers = 0;
  ended = false;

  /** @param reads false: answers pile up wherever the other side and the network keep them. */
  constructor(address: string, reads: boolean) {
    this.client = new Client(address, credentials.createInsecure(), clientOptions);
    const { path, requestSerialize, responseDeserialize } = sessionMethod;
    this.call = this.client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
    );
    this.call.on("error", () => this.over());
    this.call.on("status", () => this.over());
    if (reads) this.call.on("data", (frames: Frames) => (this.answers += frames.length));
    const hello = {
      type: "client-hello",
      group: groupId("default"),
      cluster: "",
      name: "raw",
      token: "",
    } as const;
    this.send({ ...hello, versionLow: clientVersionMin, versionHigh: clientVersionMax });
  }

  send(...requests: readonly Unnumbered[]): void {
    if (this.ended) return;
    const frames = requests.map((request) => {
      const writer = new ByteWriter();
      this.requests += 1;
      encodeRequest(writer, { ...request, requestId: this.requests } as ClientRequest);
      return writer.finish();
    });
    this.call.write(frames);
  }

  private over(): void {
    this.ended = true;
    this.client.close();
  }

  close(): void {
    this.call.cancel();
    this.over();
  }
}

type Unnumbered = ClientRequest extends infer R ? (R extends unknown ? Omit<R, "requestId"> : never) : never;
