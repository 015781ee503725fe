import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { LogError } from "#core/base/errors";
import { defaultLimits } from "#core/node/config";
import type { ConfigSources, ServerConfig } from "#prod/config";
import { loadConfig } from "#prod/config";
import { configKeys } from "#prod/config-keys";
import { projectRoot } from "../support/sources.ts";

const good = { dLegerSelfId: "n1" };

function load(parts: Partial<ConfigSources>): ServerConfig {
  return loadConfig({ environment: {}, flags: {}, ...parts });
}

/** The problems that a configuration is refused for. */
function problems(parts: Partial<ConfigSources>): string[] {
  try {
    load(parts);
  } catch (error) {
    expect(error).to.be.instanceOf(LogError);
    expect((error as LogError).code).to.equal("bad-configuration");
    return (error as LogError).message.split("\n");
  }
  return [];
}

describe("configuration", () => {
  let directory: string;
  before(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-config-"));
  });
  after(() => fs.rmSync(directory, { recursive: true, force: true }));

  const file = (text: string): string => {
    const name = path.join(directory, "node.conf");
    fs.writeFileSync(name, text);
    return name;
  };

  it("reads the three example files, which differ only in what must differ", () => {
    const configs = [0, 1, 2].map((at) => load({ file: path.join(projectRoot, `conf/n${at}.conf`) }));
    for (const [at, config] of configs.entries()) {
      expect(config.node.self).to.equal(`n${at}`);
      expect(config.node.listen).to.equal(`127.0.0.1:${40_911 + at}`);
      expect(config.httpPort).to.equal(41_911 + at);
      expect(config.dataDirectory).to.equal(`data/n${at}`);
      expect(config.node.limits).to.deep.equal(defaultLimits);
      expect(config.warnings).to.deep.equal([]);
      expect(config.node.groups).to.deep.equal(configs[0]?.node.groups);
    }
  });

  it("a variable wins over the file, a flag over both, and each value remembers where it came from", () => {
    const from = file("dLegerSelfId=n0\nhttpPort=5000\nlogLevel=warn\nstopTimeoutMs=700\n");
    const environment = { QUORUMLOG_HTTP_PORT: "5001", QUORUMLOG_LOG_LEVEL: "error" };
    const config = load({ file: from, environment, flags: { httpPort: "5002" } });
    expect([config.httpPort, config.logLevel, config.stopTimeoutMs]).to.deep.equal([5_002, "error", 700]);
    const origin = (key: string) => config.settings.find((setting) => setting.key === key)?.origin;
    expect(origin("httpPort")).to.equal("flag --http-port");
    expect(origin("logLevel")).to.equal("variable QUORUMLOG_LOG_LEVEL");
    expect(origin("stopTimeoutMs")).to.match(/node\.conf:4$/);
    expect(origin("segmentBytes")).to.equal("default");
  });

  it("names key, value, origin and what is allowed, for every value that is wrong, all at once", () => {
    const from = file("dLegerSelfId=n0\n\n# a comment\nhttpPort=abc\nsegmentBytes=12\n");
    const told = problems({
      file: from,
      environment: { QUORUMLOG_LOG_LEVEL: "loud" },
      flags: { bootstrap: "maybe" },
    });
    expect(told).to.have.length(4);
    const all = told.join("\n");
    expect(all).to.match(/httpPort is "abc" \(.*node\.conf:4\); allowed: a whole number from 1 to 65535/);
    expect(all).to.match(
      /segmentBytes is "12" \(.*node\.conf:5\); allowed: a multiple of 4096 from 65536 to/,
    );
    expect(all).to.contain('logLevel is "loud" (variable QUORUMLOG_LOG_LEVEL); allowed: trace, debug, info');
    expect(all).to.contain('bootstrap is "maybe" (flag --bootstrap); allowed: true or false');
  });

  it("refuses what no key allows, each with its own message", () => {
    for (const key of configKeys) {
      const told = problems({ flags: { ...good, [key.key]: "\u0000 no" } }).join("\n");
      expect(told, key.key).to.contain(`${key.key} is "\\u0000 no" (flag --${key.flag}); allowed: `);
    }
  });

  it("refuses an unknown key and says which one was probably meant", () => {
    const told = problems({
      file: file("dLegerSelfId=n0\ndLegerPeer=n0-127.0.0.1:1\nhttp_port=1\nzzzzzzzzzz=1\n"),
    });
    expect(told[0]).to.match(/unknown key dLegerPeer \(.*:2\); did you mean dLegerPeers\?/);
    expect(told[1]).to.match(/unknown key http_port \(.*:3\); did you mean httpPort\?/);
    expect(told[2]).to.match(/unknown key zzzzzzzzzz \(.*:4\)$/);
  });

  it("takes no voters from the clients' variable, and says so where nothing else names them", () => {
    const environment = { QUORUMLOG_PEERS: "n1-127.0.0.1:50001" };
    const { node, warnings } = load({ flags: good, environment });
    expect(node.groups[0]?.peers).to.have.length(3);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain("QUORUMLOG_PEERS is of clients").and.to.contain("QUORUMLOG_VOTERS");
    const named = { ...good, dLegerPeers: "n1-127.0.0.1:50001;n2-127.0.0.1:50002;n3-127.0.0.1:50003" };
    expect(load({ flags: named, environment }).warnings).to.deep.equal([]);
  });

  it("names stray lines, keys of a broker and unknown variables, and goes on", () => {
    const from = file(
      "dLegerSelfId=n2\n185 codahaleStatsHttpPort=9001\nlonely\nbrokerName = RaftNode00\nlogLevel=warn\nlogLevel=info\n",
    );
    const { warnings, logLevel } = load({ file: from, environment: { QUORUMLOG_HTTP_PROT: "1" } });
    expect(logLevel).to.equal("info");
    const all = warnings.join("\n");
    expect(warnings).to.have.length(5);
    expect(all).to.match(/:2 sets nothing and is left out: 185 codahaleStatsHttpPort=9001/);
    expect(all).to.match(/:3 sets nothing and is left out: lonely/);
    expect(all).to.match(/brokerName \(.*:4\) belongs to a broker/);
    expect(all).to.match(/logLevel is set twice, at .*:5 and .*:6/);
    expect(all).to.contain("unknown variable QUORUMLOG_HTTP_PROT; did you mean QUORUMLOG_HTTP_PORT?");
  });

  it("reads a file as RocketMQ's brokers have it", () => {
    const { node } = load({
      file: file(
        "brokerClusterName = RaftCluster\nbrokerName=RaftNode00\nlistenPort=30911\nnamesrvAddr=127.0.0.1:9876\n" +
          "storePathRootDir=/tmp/rmqstore/node00\nstorePathCommitLog=/tmp/rmqstore/node00/commitlog\n" +
          "enableDLegerCommitLog=true\ndLegerGroup=RaftNode00\n" +
          "dLegerPeers=n0-127.0.0.1:40911;n1-127.0.0.1:40912;n2-127.0.0.1:40913\n## must be unique\n" +
          "dLegerSelfId=n0\nsendMessageThreadPoolNums=16\n",
      ),
    });
    expect(node.groups[0]?.group).to.equal("RaftNode00");
    expect(node.groups[0]?.peers.map((peer) => peer.address)).to.deep.equal([
      "127.0.0.1:40911",
      "127.0.0.1:40912",
      "127.0.0.1:40913",
    ]);
  });

  it("checks what belongs together", () => {
    const one = (flags: Record<string, string>): string =>
      problems({ flags: { ...good, ...flags } }).join("\n");
    expect(one({ dLegerSelfId: "n7" })).to.contain(
      'dLegerSelfId is "n7" (flag --self-id); allowed: one of the ids in dLegerPeers (n0, n1, n2)',
    );
    expect(one({ dLegerPeers: "n0-127.0.0.1:1;n0-127.0.0.1:2;n1-127.0.0.1:3" })).to.contain(
      "allowed: each id once",
    );
    expect(one({ dLegerPeers: "n0-127.0.0.1:1;n1-127.0.0.1:1" })).to.contain("allowed: each address once");
    expect(one({ dLegerPeers: "n0-127.0.0.1:1;n1-127.0.0.1:2;n2-127.0.0.1:3;n3-127.0.0.1:4" })).to.contain(
      "1, 2, 3, 5 or 7 voters",
    );
    expect(one({ heartBeatTimeIntervalMs: "400" })).to.contain(
      "at most half of electionTimeoutMsMin, which is 300",
    );
    expect(one({ electionTimeoutMsMin: "700" })).to.contain("at most electionTimeoutMsMax, which is 600");
    expect(one({ reserveBytes: "50000000" })).to.contain("at most half of segmentBytes");
    expect(one({ segmentBytes: "67108865" })).to.contain("allowed: a multiple of 4096 from 65536");
    expect(one({ uncommittedBytesMax: "9000000" })).to.contain("at most half of reserveBytes");
    expect(one({ httpPort: "40912" })).to.contain("another port than the node's own");
    expect(problems({})[0]).to.contain("dLegerSelfId is not set");
  });

  it("listens beyond this machine only when told that nothing protects it, and warns", () => {
    const peers = "n0-10.0.0.1:40911;n1-10.0.0.2:40911;n2-10.0.0.3:40911";
    const flags = { ...good, dLegerPeers: peers };
    expect(problems({ flags }).join()).to.contain(
      "an address of this machine only, or any with TLS (tlsCert, tlsKey, tlsCa) or allowInsecure=true",
    );
    expect(problems({ flags: { ...good, httpHost: "0.0.0.0" } }).join()).to.contain("httpHost");
    expect(load({ flags: { ...flags, allowInsecure: "true" } }).warnings.join()).to.contain(
      "without encryption",
    );
  });

  it("says that a file is not there", () => {
    expect(problems({ file: path.join(directory, "none.conf"), flags: good })[0]).to.match(
      /cannot read .*none\.conf: there is no such file/,
    );
  });

  it("names the lines that set nothing when something else is missing", () => {
    const utf16 = Buffer.from("dLegerSelfId n0\nhttpPort 5000\n", "utf16le").toString("latin1");
    const told = problems({ file: file(utf16) });
    expect(told[0]).to.contain("dLegerSelfId is not set");
    expect(told[1]).to.match(/node\.conf:1 sets nothing and is left out: d\\u0000L\\u0000e/);
    const many = problems({ file: file("garbage\n".repeat(500)) });
    expect(many).to.have.length(12);
    expect(many.at(-1)).to.match(/node\.conf: 490 more lines set nothing/);
  });

  it("reads regular files of a few bytes and nothing without end", () => {
    for (const endless of ["/dev/zero", "/dev/stdin"])
      expect(problems({ file: endless, flags: good })[0]).to.match(/cannot read .*it is no regular file/);
    const large = file("#".repeat(70_000));
    expect(problems({ file: large, flags: good })[0]).to.match(
      /it has 70000 bytes, and at most 65536 are read/,
    );
    const flags = { ...good, tlsCa: "/dev/zero", tlsCert: "/dev/zero", tlsKey: "/dev/zero" };
    expect(problems({ flags }).join()).to.match(
      /tlsCa is "\/dev\/zero" \(flag --tls-ca\): it is no regular file/,
    );
  });

  it("has a key for every limit of core, in its unit", () => {
    const named = configKeys.flatMap(({ limit }) => (limit === undefined ? [] : [limit.name]));
    expect([...named].sort()).to.deep.equal(Object.keys(defaultLimits).sort());
    const flags: Record<string, string> = { ...good };
    for (const { key, limit, fallback } of configKeys) if (limit !== undefined) flags[key] = fallback ?? "";
    expect(load({ flags }).node.limits).to.deep.equal(defaultLimits);
    const { heartbeatInterval, tailWaitMax } = load({
      flags: { ...good, heartBeatTimeIntervalMs: "100", tailWaitMsMax: "7" },
    }).node.limits;
    expect([heartbeatInterval, tailWaitMax]).to.deep.equal([100_000, 7_000]);
  });

  it("is documented: every key with its flag, variable, default and what is allowed", () => {
    const manual = fs.readFileSync(path.join(projectRoot, "docs/CONFIGURATION.md"), "utf8");
    const rows = manual.split("\n").filter((line) => line.startsWith("| `"));
    const expected = configKeys.map(({ key, flag, env, fallback, allowed }) => {
      const usual = fallback === undefined ? "" : `\`${fallback}\``;
      return `| \`${key}\` | \`--${flag}\` | \`${env}\` | ${usual} | ${allowed} |`;
    });
    expect(rows).to.deep.equal(expected);
    for (const { key, doc } of configKeys) expect(manual).to.contain(`- \`${key}\`: ${doc}`);
  });
});
