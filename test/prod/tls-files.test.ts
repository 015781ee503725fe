import { generateKeyPairSync } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import type { LogError } from "#core/base/errors";
import { loadConfig } from "#prod/config";
import { LogClient } from "#prod/log-client";
import { Authority, future, past, save, selfSigned, tomorrow, yesterday } from "./support/authority.ts";

describe("the files of TLS", () => {
  const authority = new Authority();
  let directory: string;
  let ca: string;
  before(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-tls-"));
    ca = path.join(directory, "ca.pem");
    fs.writeFileSync(ca, authority.certificate);
  });
  after(() => fs.rmSync(directory, { recursive: true, force: true }));

  const peers = "n0-127.0.0.1:40911;n1-127.0.0.1:40912;n2-127.0.0.1:40913";
  const load = (flags: Record<string, string>) =>
    loadConfig({ environment: {}, flags: { dLegerSelfId: "n1", dLegerPeers: peers, ...flags } });
  const problems = (flags: Record<string, string>): string => {
    try {
      load(flags);
    } catch (error) {
      expect((error as LogError).code).to.equal("bad-configuration");
      return (error as LogError).message;
    }
    return "";
  };
  const files = (name: string, holder: Parameters<typeof save>[2]) => {
    const { cert, key } = save(directory, name, holder);
    return { tlsCa: ca, tlsCert: cert, tlsKey: key };
  };

  it("a node's own certificate is taken, with whatever listens beyond this machine", () => {
    const own = files("good", authority.node("n1"));
    expect(load(own).tls?.clientAuth).to.equal(true);
    expect(load({ ...own, tlsClientAuth: "false" }).tls?.clientAuth).to.equal(false);
    const wide = files("wide", authority.node("n1", { hosts: ["0.0.0.0"] }));
    const open = { dLegerPeers: peers.replace("n1-127.0.0.1", "n1-0.0.0.0"), httpHost: "0.0.0.0" };
    expect(load({ ...wide, ...open }).warnings).to.deep.equal([]);
    expect(problems(open)).to.match(/httpHost is "0\.0\.0\.0".*any with TLS.*allowInsecure=true/);
  });

  it("each problem is told with key, value, origin and what to do", () => {
    const unreadable = { ...files("dir", authority.node("n1")), tlsKey: directory };
    const garbage = path.join(directory, "garbage.pem");
    fs.writeFileSync(
      garbage,
      Buffer.from("\u0000\u0001-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
    );
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const locked = path.join(directory, "locked.pem");
    const cipher = { cipher: "aes-256-cbc", passphrase: "x" };
    fs.writeFileSync(locked, privateKey.export({ type: "pkcs8", format: "pem", ...cipher }));
    const good = files("n1", authority.node("n1"));
    const other = files("other", authority.node("n1"));
    const cases: readonly [name: string, flags: Record<string, string>, told: RegExp][] = [
      [
        "missing key and authority",
        { tlsCert: good.tlsCert },
        /tlsKey is not set, since tlsCert is given[\s\S]*tlsCa is not set/,
      ],
      [
        "no such file",
        { ...good, tlsCert: "/none.pem" },
        /tlsCert is "\/none\.pem" \(flag --tls-cert\): there is no such file; name/,
      ],
      [
        "unreadable key",
        unreadable,
        /tlsKey is ".*" \(flag --tls-key\): it is a directory; name a file that this user can read/,
      ],
      [
        "garbage",
        { ...good, tlsCert: garbage },
        /tlsCert is .*: it holds a certificate that cannot be read; name/,
      ],
      ["no certificate", { ...good, tlsCa: good.tlsKey }, /tlsCa is .*: it holds no certificate; name/],
      ["no key", { ...good, tlsKey: good.tlsCert }, /tlsKey is .*: it holds no private key; name/],
      ["a passphrase", { ...good, tlsKey: locked }, /tlsKey is .*: the key has a passphrase; name/],
      [
        "another's key",
        { ...good, tlsKey: other.tlsKey },
        /tlsKey is .*: it is not the key of .*n1\.pem; name/,
      ],
      [
        "expired",
        files("old", authority.node("n1", { notBefore: past, notAfter: yesterday })),
        /it expired at .*; make a new one/,
      ],
      [
        "not yet valid",
        files("new", authority.node("n1", { notBefore: tomorrow, notAfter: future })),
        /it is not valid before .* clock/,
      ],
      [
        "another authority",
        files("foreign", new Authority("strangers").node("n1")),
        /it is signed by O=quorumlog, CN=strangers, not by an authority in tlsCa=/,
      ],
      [
        "self-signed",
        files("self", selfSigned({ name: "n1", hosts: ["127.0.0.1"] })),
        /it is self-signed, not by an authority/,
      ],
      [
        "another node's",
        files("n2", authority.node("n2")),
        /it is of "n2" \(node\), and this is node n1; name the one of n1/,
      ],
      [
        "a client's",
        files("client", authority.client("admin", { name: "n1" })),
        /it is of "n1" \(admin\), and this is node n1/,
      ],
      [
        "another host's",
        files("host", authority.node("n1", { hosts: ["10.0.0.1"] })),
        /it is not for 127\.0\.0\.1, where others dial/,
      ],
      [
        "no truth",
        { ...good, tlsClientAuth: "maybe" },
        /tlsClientAuth is "maybe" \(flag --tls-client-auth\); allowed: true or false/,
      ],
    ];
    for (const [name, flags, told] of cases) expect(problems(flags), name).to.match(told);
  });

  it("a chain leads to the authority", () => {
    const middle = new Authority("middle");
    const leaf = middle.node("n1");
    expect(problems(files("alone", leaf))).to.contain("signed by O=quorumlog, CN=middle");
    const both = path.join(directory, "both.pem");
    fs.writeFileSync(both, `${authority.certificate}${middle.certificate}`);
    expect(problems({ ...files("chain", leaf), tlsCa: both })).to.equal("");
  });

  it("a client's are looked at before anything is dialled", () => {
    const { tlsCert: cert, tlsKey: key } = files("alice", authority.client("read"));
    const refused = (tls: ConstructorParameters<typeof LogClient>[0] & object): string => {
      try {
        void new LogClient(tls).close();
      } catch (error) {
        return `${(error as LogError).code}: ${(error as LogError).message}`;
      }
      return "";
    };
    expect(refused({ tls: { ca, cert, key } })).to.equal("");
    expect(refused({ tls: { ca: Buffer.from(authority.certificate) } })).to.equal("");
    expect(refused({ tls: { ca, cert } })).to.match(
      /bad-configuration: tls\.key is not given, and tls\.cert is/,
    );
    expect(refused({ tls: { ca: "/none" } })).to.match(
      /tls\.ca is "\/none" \(options\): there is no such file/,
    );
    expect(refused({ tls: { ca: Buffer.from("x") } })).to.match(
      /tls\.ca is given \(options\): it holds no certificate/,
    );
  });
});
