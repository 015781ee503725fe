import { X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import type { LogError } from "#core/base/errors";
import type { CredentialsPlan } from "#prod/credentials";
import { makeCredentials } from "#prod/credentials";
import { checkedPeers } from "#prod/peer-list";
import { authoriseByRole, identityOf } from "#prod/tls-identity";

describe("the credentials of a cluster", () => {
  let directory: string;
  beforeEach(() => {
    directory = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-certs-")), "certs");
  });
  afterEach(() => fs.rmSync(path.dirname(directory), { recursive: true, force: true }));

  const make = (more: Partial<CredentialsPlan> = {}) =>
    makeCredentials({
      directory,
      peers: checkedPeers("n0-db0.example:40911;ca-[fe80::1]:40911"),
      clients: [{ name: "alice", role: "append" }],
      hosts: ["localhost", "10.0.0.7"],
      days: 30,
      renew: false,
      ...more,
    });
  const read = (name: string): X509Certificate =>
    new X509Certificate(fs.readFileSync(path.join(directory, `${name}.pem`)));

  it("one authority signs a certificate for each node's id and hosts, and for each client's role", () => {
    make();
    const [ca, n0, second, alice] = ["ca", "n0", "node-ca", "client-alice"].map(read);
    if (ca === undefined || n0 === undefined || second === undefined || alice === undefined)
      throw new Error();
    expect([ca.ca, n0.ca, alice.ca]).to.deep.equal([true, false, false]);
    for (const one of [n0, second, alice])
      expect([one.checkIssued(ca), one.verify(ca.publicKey)]).to.deep.equal([true, true]);
    expect(identityOf(n0.toLegacyObject().subject)).to.deep.equal({ name: "n0", roles: ["node"] });
    expect(identityOf(alice.toLegacyObject().subject)).to.deep.equal({ name: "alice", roles: ["append"] });
    expect([n0.checkHost("db0.example"), n0.checkHost("localhost"), n0.checkIP("10.0.0.7")]).to.not.include(
      undefined,
    );
    expect([second.checkIP("fe80::1"), second.checkHost("db0.example")]).to.deep.equal([
      "fe80::1",
      undefined,
    ]);
    expect((Date.parse(n0.validTo) - Date.now()) / 86_400_000).to.be.closeTo(30, 1);
  });

  it("what is there stays, another client is added, and all but the authority is renewed when asked", () => {
    make();
    const before = read("n0").fingerprint256;
    const again = make({ clients: [{ name: "bob", role: "read" }] });
    expect(again.map(({ name, made }) => `${name} ${made}`)).to.deep.equal([
      "authority false",
      "n0 false",
      "ca false",
      "bob true",
    ]);
    const renewed = make({ renew: true });
    expect(renewed.map(({ made }) => made)).to.deep.equal([false, true, true, true]);
    expect(read("n0").fingerprint256).to.not.equal(before);
    expect(read("n0").verify(read("ca").publicKey)).to.equal(true);
  });

  const faultOf = (more: Partial<CredentialsPlan> = {}): string => {
    try {
      make(more);
    } catch (error) {
      return `${(error as LogError).code}: ${(error as LogError).message}`;
    }
    return "";
  };
  const snapshot = (): string[] =>
    fs
      .readdirSync(directory)
      .sort()
      .map((name) => `${name} ${fs.readFileSync(path.join(directory, name), "latin1")}`);

  it("a directory that holds half of an authority, a broken one, or none can be made, is refused", () => {
    expect(faultOf({ directory: "/proc/nope" })).to.match(/^bad-configuration: credentials in \/proc\/nope/);
    make();
    const ca = path.join(directory, "ca.pem");
    const good = fs.readFileSync(ca);
    for (const bad of ["garbage", fs.readFileSync(path.join(directory, "n0.pem"))]) {
      fs.writeFileSync(ca, bad);
      expect(faultOf()).to.match(
        /^bad-configuration: .*ca\.pem.*: bring back .*ca\.pem and .*ca-key\.pem, or name/,
      );
    }
    fs.writeFileSync(ca, good);
    fs.writeFileSync(path.join(directory, "ca-key.pem"), "garbage");
    expect(faultOf()).to.match(
      /^bad-configuration: .*ca-key\.pem holds no private key that can be read: bring/,
    );
    fs.rmSync(path.join(directory, "ca-key.pem"));
    expect(faultOf()).to.match(/^bad-configuration: .*ca\.pem is there without its other half/);
  });

  it("what is kept says what was asked for, or nothing is made", () => {
    make();
    const before = snapshot();
    const cases: readonly [Partial<CredentialsPlan>, RegExp][] = [
      [
        { clients: [{ name: "alice", role: "read" }] },
        /client-alice\.pem is of "alice" \(append\), not of "alice" \(read\): .*--renew.*remove .*client-alice-key\.pem/,
      ],
      [
        { peers: checkedPeers("n0-10.0.0.1:40911") },
        /n0\.pem is not for 10\.0\.0\.1 \(it is for DNS:db0\.example/,
      ],
      [
        { hosts: ["localhost", "another"] },
        /n0\.pem is not for another.*\n.*node-ca\.pem is not for another/,
      ],
    ];
    for (const [more, told] of cases)
      expect(faultOf({ clients: [{ name: "new", role: "read" }], ...more })).to.match(told);
    expect(snapshot()).to.deep.equal(before);
    expect(make({ hosts: [] }).some(({ made }) => made)).to.equal(false);
    make({ clients: [{ name: "alice", role: "read" }], renew: true });
    expect(identityOf(read("client-alice").toLegacyObject().subject).roles).to.deep.equal(["read"]);
  });

  it("a kept certificate is of this authority, has its key, and is not over", () => {
    make();
    const file = (name: string): string => path.join(directory, name);
    fs.copyFileSync(file("n0-key.pem"), file("client-alice-key.pem"));
    expect(faultOf()).to.match(/client-alice-key\.pem is not the key of .*client-alice\.pem/);
    fs.writeFileSync(file("client-alice-key.pem"), "");
    expect(faultOf()).to.match(/client-alice-key\.pem holds no private key that can be read/);
    fs.writeFileSync(file("client-alice.pem"), "");
    expect(faultOf()).to.match(/client-alice\.pem holds no certificate that can be read/);
    make({ renew: true });
    for (const name of ["ca.pem", "ca-key.pem"]) fs.rmSync(file(name));
    expect(faultOf()).to.match(/n0\.pem is there without its authority: bring back .*ca\.pem.*--renew/);
    make({ peers: [], clients: [] });
    expect(faultOf()).to.match(/n0\.pem is not signed by the authority of this directory/);
    make({ renew: true, days: -1 });
    expect(faultOf()).to.match(/n0\.pem expired at/);
  });

  it("no client has a name that takes another's file, and none is given twice", () => {
    make();
    const before = snapshot();
    for (const name of ["alice-key", "key", "a-KEY"])
      expect(faultOf({ clients: [{ name, role: "admin" }] })).to.match(
        /bad-configuration: no client is called/,
      );
    const twice = { name: "bob", role: "read" } as const;
    expect(faultOf({ clients: [twice, { ...twice, role: "admin" }] })).to.match(/bob is given twice/);
    expect(faultOf({ peers: checkedPeers("n0-a:1;n0-b:2") })).to.match(/n0 is given twice/);
    expect(snapshot()).to.deep.equal(before);
  });

  it("a role includes those before it, and nodes have none", () => {
    const may = (...roles: ("read" | "append" | "admin" | "node")[]) =>
      (["read", "append", "admin"] as const).filter((action) =>
        authoriseByRole({ name: "x", roles }, action),
      );
    expect(may("read")).to.deep.equal(["read"]);
    expect(may("append")).to.deep.equal(["read", "append"]);
    expect(may("admin")).to.deep.equal(["read", "append", "admin"]);
    expect(may("node")).to.deep.equal([]);
    expect(may()).to.deep.equal([]);
  });

  it("whoever has no certificate, where none is asked for, appends and reads and administers nothing", () => {
    const may = (["read", "append", "admin"] as const).filter((action) => authoriseByRole(undefined, action));
    expect(may).to.deep.equal(["read", "append"]);
  });
});
