import * as net from "node:net";
import * as tls from "node:tls";
import { expect } from "chai";
import { TcpNetwork } from "#prod/network";
import type { TlsMaterial } from "#prod/tls-files";
import { contextOf } from "#prod/tls-files";
import type { Action, Authorise, Identity } from "#prod/tls-identity";
import { authoriseByRole } from "#prod/tls-identity";
import { Turns } from "#prod/turn";
import { Authority, future, past, selfSigned, tomorrow, yesterday } from "./support/authority.ts";
import {
  append,
  ask,
  helloOf,
  Port,
  ping,
  quiet,
  readOnly,
  refusalOf,
  transfer,
} from "./support/tls-port.ts";

const turns = new Turns();
const authority = new Authority();
const strangers = new Authority("strangers");
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("TLS on a node's port", () => {
  let port: Port;
  before(async () => {
    port = await Port.open(authority.material(authority.node("n1")));
  });
  after(() => port.close());
  const client = (role: string): TlsMaterial => authority.material(authority.client(role));

  it("lets clients do what their roles say, and peers speak", async () => {
    for (const [role, frame] of [
      ["read", ping],
      ["append", append],
      ["append", ping],
      ["admin", readOnly],
      ["admin", append],
    ] as const)
      expect(refusalOf(await ask(port.address, "client", frame, client(role))), role).to.equal(undefined);
    for (const service of ["peer-control", "peer-bulk"] as const) {
      const hello = helloOf("n2");
      const { frame } = await ask(port.address, service, hello, authority.material(authority.node("n2")));
      expect(frame).to.deep.equal(hello);
    }
  });

  it("tells a client that may not what it lacks", async () => {
    const bad = (holder: ReturnType<Authority["client"]>): TlsMaterial => authority.material(holder);
    const aged = (notBefore: Date, notAfter: Date) => authority.client("admin", { notBefore, notAfter });
    const cases: readonly [
      name: string,
      frame: Uint8Array,
      material: TlsMaterial | undefined,
      told: RegExp,
    ][] = [
      ["append with read", append, client("read"), /"alice" \(read\) has not the role append/],
      ["read-only with append", readOnly, client("append"), /"alice" \(append\) has not the role admin/],
      ["transfer with append", transfer, client("append"), /has not the role admin/],
      ["no role", ping, client("guest"), /"alice" \(no role\) has not the role read/],
      ["a node is no client", ping, bad(authority.node("n2")), /"n2" \(node\) has not the role read/],
      ["no certificate", ping, authority.material(), /a client shows its certificate here.*none came/],
      ["expired", ping, bad(aged(past, yesterday)), /it has expired; make a new one/],
      ["not yet valid", ping, bad(aged(tomorrow, future)), /it is not valid yet/],
      [
        "of another authority",
        ping,
        bad(strangers.client("admin")),
        /its authority is not in this node's tlsCa/,
      ],
      ["self-signed", ping, bad(selfSigned({ units: ["admin"] })), /it is self-signed, and not one of/],
      ["plain text", ping, undefined, /this node speaks TLS, and this connection is plain text: give tlsCa/],
    ];
    for (const [name, frame, material, told] of cases)
      expect(refusalOf(await ask(port.address, "client", frame, material)), name).to.match(told);
  });

  it("ends a connection that is refused once, behind the answer", async () => {
    const seen: string[] = [];
    const network = new TcpNetwork({
      turns,
      dial: { context: contextOf(client("read")), nodeAt: () => "n9" },
    });
    const connection = network.connect(port.address, "client", {
      opened: () => {
        seen.push("opened");
        connection.send(ping);
      },
      frame: () => seen.push("frame"),
      closed: (reason) => seen.push(reason),
      ...quiet,
    });
    const limit = performance.now() + 5_000;
    while (seen.length < 3 && performance.now() < limit) await sleep(2);
    await sleep(100);
    expect(seen).to.deep.equal(["opened", "frame", "closed"]);
  });

  it("a port that closes sends what it took before", async () => {
    const closing = await Port.open(
      authority.material(authority.node("n1")),
      true,
      authoriseByRole,
      (frame) => Array.from({ length: 6 }, () => new Uint8Array(200_000).fill(frame.length)),
    );
    const network = new TcpNetwork({
      turns,
      dial: { context: contextOf(client("read")), nodeAt: () => "n1" },
    });
    let bytes = 0;
    const end = await new Promise<string>((resolve) => {
      const connection = network.connect(closing.address, "client", {
        opened: () => void connection.send(ping),
        frame: (frame) => {
          bytes += frame.length;
          closing.close();
        },
        closed: resolve,
        ...quiet,
      });
    });
    expect([bytes, end]).to.deep.equal([1_200_000, "closed"]);
  });

  it("turns away whoever is no peer", async () => {
    const hello = helloOf("n2");
    const cases: readonly [name: string, material: TlsMaterial | undefined, told: RegExp][] = [
      ["a client", client("admin"), /of "alice" \(admin\); peers have the unit node/],
      ["a node of no voter", authority.material(authority.node("n9")), /of "n9" \(node\); peers/],
      ["no certificate", authority.material(), /a node shows its certificate/],
      ["plain text", undefined, /this node speaks TLS/],
      [
        "another authority",
        { ...strangers.material(strangers.node("n2")), ca: authority.certificate },
        /its authority/,
      ],
    ];
    for (const [name, material, told] of cases) {
      const { closed, distrust } = await ask(port.address, "peer-control", hello, material);
      expect(closed, name).to.equal("protocol");
      expect(distrust, name).to.match(told);
      expect(port.told.at(-1), name).to.match(told);
    }
  });

  it("a node cannot introduce itself by another's name", async () => {
    const { closed } = await ask(
      port.address,
      "peer-bulk",
      helloOf("n2"),
      authority.material(authority.node("n0")),
    );
    expect(closed).to.equal("protocol");
    expect(port.told.at(-1)).to.equal("peer-bulk: it says that it is n2, and its certificate is of n0");
  });

  it("whoever dials looks whom it reached: name, role, host, authority, dates", async () => {
    const cases: readonly [name: string, own: TlsMaterial, told: RegExp][] = [
      [
        "another node",
        authority.material(authority.node("n2")),
        /certificate is of "n2" \(node\), not of node n1/,
      ],
      [
        "a client",
        authority.material(authority.client("admin", { name: "n1" })),
        /unsuitable certificate purpose|unsupported certificate purpose/,
      ],
      [
        "another host",
        authority.material(authority.node("n1", { hosts: ["10.0.0.1"] })),
        /certificate's altnames/,
      ],
      ["another authority", strangers.material(strangers.node("n1")), /not signed by an authority in tlsCa/],
      [
        "self-signed",
        authority.material(selfSigned({ name: "n1", usage: "node", hosts: ["127.0.0.1"] })),
        /not signed by an authority/,
      ],
      [
        "expired",
        authority.material(authority.node("n1", { notBefore: past, notAfter: yesterday })),
        /certificate has expired; make a new one/,
      ],
      [
        "not yet valid",
        authority.material(authority.node("n1", { notBefore: tomorrow, notAfter: future })),
        /certificate is not yet valid/,
      ],
    ];
    for (const [name, own, told] of cases) {
      const wrong = await Port.open(own);
      const answer = await ask(wrong.address, "client", ping, client("read"));
      expect(refusalOf(answer), name).to.match(told);
      const peer = await ask(
        wrong.address,
        "peer-control",
        helloOf("n2"),
        authority.material(authority.node("n2")),
      );
      expect([peer.closed, peer.distrust], name).to.satisfy(
        ([closed, why]: string[]) => closed === "protocol" && told.test(why ?? ""),
      );
      wrong.close();
    }
  });

  it("a port without TLS says so to who speaks it", async () => {
    const plain = await Port.open(undefined);
    const told = refusalOf(await ask(plain.address, "client", ping, client("read")));
    expect(told).to.match(/does not speak TLS: leave tlsCa out/);
    expect(plain.told).to.include("tls: ");
    plain.close();
  });

  it("clients need no certificate where none is asked for; peers do", async () => {
    const open = await Port.open(authority.material(authority.node("n1")), false);
    expect(refusalOf(await ask(open.address, "client", append, authority.material()))).to.equal(undefined);
    expect(refusalOf(await ask(open.address, "client", append, client("read")))).to.match(/role append/);
    const { closed } = await ask(open.address, "peer-bulk", helloOf("n2"), authority.material());
    expect(closed).to.equal("protocol");
    open.close();
  });

  it("asks its hook who may do what, of clients only", async () => {
    const asked: [Identity | undefined, Action][] = [];
    const hook: Authorise = (identity, action) => {
      asked.push([identity, action]);
      return identity !== undefined && action !== "append";
    };
    const own = await Port.open(authority.material(authority.node("n1")), false, hook);
    expect(refusalOf(await ask(own.address, "client", readOnly, client("read")))).to.equal(undefined);
    expect(refusalOf(await ask(own.address, "client", append, client("admin")))).to.match(/role append/);
    expect(refusalOf(await ask(own.address, "client", ping, authority.material()))).to.match(
      /a client without a certificate has not the role read/,
    );
    const alice = (role: "read" | "admin"): Identity => ({ name: "alice", roles: [role] });
    expect(asked).to.deep.equal([
      // To open the connection, then for what is asked on it.
      [alice("read"), "read"],
      [alice("read"), "admin"],
      [alice("admin"), "read"],
      [alice("admin"), "append"],
      [undefined, "read"],
    ]);
    own.close();
  });

  it("speaks TLS 1.3 only, HTTP/1 is told, garbage is dropped", async () => {
    const [host = "", number] = port.address.split(":");
    const old = await new Promise<string>((resolve) => {
      const socket = tls.connect({
        host,
        port: Number(number),
        maxVersion: "TLSv1.2",
        rejectUnauthorized: false,
      });
      socket.on("error", (error) => resolve(error.message)).on("secureConnect", () => resolve("let in"));
    });
    expect(old).to.match(/protocol version/);
    const said = (text: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = net.connect({ host, port: Number(number) }, () => socket.write(text));
        let answer = "";
        socket.on("data", (bytes) => {
          answer += bytes.toString("latin1");
        });
        socket.on("error", () => undefined).on("close", () => resolve(answer));
      });
    expect(await said("GET / HTTP/1.1\r\n\r\n")).to.match(/^HTTP\/1\.1 400/);
    expect(await said("what is this")).to.equal("");
    // Half a handshake, then nothing: it is dropped without harm to others.
    const half = net.connect({ host, port: Number(number) }, () =>
      half.write(Buffer.from([0x16, 0x03, 0x01])),
    );
    half.on("error", () => undefined);
    expect(refusalOf(await ask(port.address, "client", ping, client("read")))).to.equal(undefined);
    half.destroy();
  });
});
