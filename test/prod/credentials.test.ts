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

  it("a directory that holds half of an authority, or none can be made, is refused", () => {
    const faultOf = (more: Partial<CredentialsPlan> = {}): string => {
      try {
        make(more);
      } catch (error) {
        return `${(error as LogError).code}: ${(error as LogError).message}`;
      }
      return "";
    };
    expect(faultOf({ directory: "/proc/nope" })).to.match(/^bad-configuration: credentials in \/proc\/nope/);
    make();
    fs.rmSync(path.join(directory, "ca-key.pem"));
    expect(faultOf()).to.match(/^bad-configuration: .*ca\.pem is there without its other half/);
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
