import { once } from "node:events";
import * as net from "node:net";
import * as tls from "node:tls";
import { expect } from "chai";
import { TlsDoor } from "#prod/tls-door";
import { Authority } from "./support/authority.ts";

describe("the door of a port that speaks TLS", () => {
  const authority = new Authority();
  let door: TlsDoor;
  let server: net.Server;
  let port: number;
  const secured: net.Socket[] = [];
  const failed: string[] = [];
  before(async () => {
    door = new TlsDoor(authority.material(authority.node("n1")), {
      secured: (socket) => void secured.push(socket.resume()),
      failed: (why) => failed.push(why),
    });
    server = net.createServer((socket) => {
      socket.on("error", () => undefined);
      door.accept(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ({ port } = server.address() as net.AddressInfo);
  });
  after(() => server.close());

  const connect = (own: ReturnType<Authority["client"]> | undefined): tls.TLSSocket => {
    const { ca, cert, key } = authority.material(own);
    const socket = tls.connect({ host: "127.0.0.1", port, ca, cert, key });
    socket.on("error", () => undefined);
    return socket;
  };
  /** Turns of the event loop, until it holds. */
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    const limit = performance.now() + 5_000;
    while (!holds()) {
      if (performance.now() > limit) throw new Error(`it did not happen: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };

  it("remembers what was shown for as long as the connection is there, and no longer", async () => {
    const sockets = [connect(authority.client("read")), connect(undefined)];
    await until("two handshakes", () => secured.length === 2);
    const shown = secured.map((socket) => door.of(`${socket.remoteAddress}:${socket.remotePort}`));
    expect(shown).to.have.deep.members([{ identity: { name: "alice", roles: ["read"] } }, {}]);
    for (const socket of sockets) socket.destroy();
    await until("both forgotten", () => door.size === 0);
    expect(door.of("127.0.0.1:1")).to.deep.equal({ fault: "this connection is gone" });
  });

  it("forgets failed handshakes, and ends those under way when it closes", async () => {
    const old = tls.connect({ host: "127.0.0.1", port, maxVersion: "TLSv1.2" });
    old.on("error", () => undefined);
    await until("it failed", () => failed.length > 0);
    expect(failed.join()).to.match(/unsupported protocol/);
    await until("it is forgotten", () => door.size === 0);

    const silent = net.connect({ host: "127.0.0.1", port });
    silent.on("error", () => undefined);
    await until("a handshake under way", () => door.size === 1);
    const gone = once(silent, "close");
    door.close();
    await gone;
    await until("it is forgotten", () => door.size === 0);
  });
});
