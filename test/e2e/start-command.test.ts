import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { projectRoot } from "../support/sources.ts";
import { eventually, isFree, program } from "./support/cluster.ts";
import { quorumlog } from "./support/run.ts";
import { freeBase } from "./support/terminal.ts";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("e2e: quorumlog start", function () {
  this.timeout(40_000);
  const usableMs: number[] = [];
  let directory: string;
  let child: ChildProcess | undefined;
  let pids: number[] = [];
  let said = "";
  let complained = "";

  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-start-"));
  });
  afterEach(() => {
    for (const pid of [child?.pid, ...pids])
      if (pid !== undefined && isAlive(pid)) process.kill(pid, "SIGKILL");
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const start = async (base: number): Promise<void> => {
    said = "";
    complained = "";
    // As people do, in a process group that a terminal would send its Ctrl-C to.
    const args = [
      "start",
      "--silent",
      "--",
      "--base-port",
      String(base),
      "--data",
      path.join(directory, "data"),
    ];
    const begun = performance.now();
    const started = spawn("npm", args, { cwd: projectRoot, detached: true });
    child = started;
    started.stdout.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    started.stderr.on("data", (bytes: Buffer) => {
      complained += bytes.toString();
    });
    await eventually(
      "the table of three nodes",
      async () => {
        if (started.exitCode !== null) throw new Error(`ended with ${started.exitCode}: ${complained}`);
        return said.includes("What to type next") ? true : undefined;
      },
      15_000,
    );
    usableMs.push(Math.round(performance.now() - begun));
    pids = [...said.matchAll(/^n\d +\w+ +(\d+)/gm)].map(([, pid]) => Number(pid));
    expect(pids).to.have.length(3);
  };

  const expectNothingLeft = async (base: number): Promise<void> => {
    expect(pids.filter(isAlive)).to.deep.equal([]);
    for (const at of [0, 1, 2])
      expect((await isFree(base + at)) && (await isFree(base + 1_000 + at)), `port ${at}`).to.equal(true);
  };

  const ended = (): Promise<number | null> =>
    new Promise((resolve) => {
      if (child?.exitCode !== null) resolve(child?.exitCode ?? null);
      else child.once("exit", (code) => resolve(code));
    });

  it("runs three processes, tells of one that dies and how to start it again, and stops them all at Ctrl-C", async () => {
    const base = await freeBase();
    await start(base);
    expect(new Set(pids).size).to.equal(3);
    expect(said).to.match(/n0 +\w+ +\d+ +127\.0\.0\.1:\d+ +http:\/\/127\.0\.0\.1:\d+ +\/.*data\/n0/);
    expect(said.match(/ leader /g)).to.have.length(1);
    expect(await (await fetch(`http://127.0.0.1:${base + 1_000}/ping`)).text()).to.equal("pong");

    const leader = /^(n\d) +leader +(\d+)/m.exec(said);
    process.kill(Number(leader?.[2]), "SIGKILL");
    const again = await eventually(
      "the report of the death",
      async () => /Start it again: (.*)\n/.exec(complained)?.[1],
    );
    expect(complained).to.contain(
      `${leader?.[1]} (pid ${leader?.[2]}) was ended by SIGKILL; the others go on`,
    );
    const peers = [0, 1, 2].map((at) => `n${at}-127.0.0.1:${base + at}`).join(";");
    const appended = await quorumlog(["log", "append", "--data", "still here", "--peers", peers]);
    expect(appended.code, appended.stderr).to.equal(0);

    const args = [...again.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
    const revived = spawn(process.execPath, [program, ...args.slice(args.indexOf("start"))], {
      cwd: directory,
      stdio: "ignore",
    });
    pids.push(revived.pid ?? 0);
    await eventually("the revived node ready", async () => {
      const port = base + 1_000 + Number(leader?.[1]?.slice(1));
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    });
    process.kill(-(child?.pid ?? 0), "SIGINT");
    expect(await ended()).to.equal(0);
    revived.kill("SIGTERM");
    expect(await new Promise((resolve) => revived.once("exit", (code) => resolve(code)))).to.equal(0);
    await expectNothingLeft(base);
    const logs = [0, 1, 2].map((at) => fs.readFileSync(path.join(directory, `data/n${at}.log`), "utf8"));
    expect(logs.filter((log) => log.includes('"change":"done"')).length).to.be.at.least(1);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const)
    it(`stops them all when npm alone gets ${signal}`, async () => {
      const base = await freeBase();
      await start(base);
      child?.kill(signal);
      expect(await ended()).to.equal(0);
      await expectNothingLeft(base);
    });

  it("a second one on the same data is refused, and writes nothing into the logs of those that run", async () => {
    const base = await freeBase();
    await start(base);
    const data = path.join(directory, "data");
    const second = await quorumlog(["start", "--base-port", String(await freeBase()), "--data", data]);
    expect([second.code, second.stdout.toString()]).to.deep.equal([69, ""]);
    expect(second.stderr).to.match(/^n0 could not start: .*data\/n0 is in use by process \d+$/m);
    for (const [at, pid] of pids.entries()) {
      const lines = fs
        .readFileSync(path.join(data, `n${at}.log`), "utf8")
        .trim()
        .split("\n");
      const writers = new Set(lines.map((line) => (JSON.parse(line) as { readonly pid: number }).pid));
      expect([...writers], `n${at}.log`).to.deep.equal([pid]);
    }
    process.kill(-(child?.pid ?? 0), "SIGINT");
    expect(await ended()).to.equal(0);
  });

  it("leaves no node behind when it is killed itself", async () => {
    const base = await freeBase();
    await start(base);
    process.kill(-(child?.pid ?? 0), "SIGKILL");
    await eventually("the nodes gone", async () => (pids.some(isAlive) ? undefined : true));
    await expectNothingLeft(base);
  });

  it("tells how long it took until it was usable", () => {
    // A figure to be read (five seconds are wanted), not a test of it: other tests run beside this one.
    console.log(`      from npm start to three nodes with a leader: ${usableMs.join(", ")} ms`);
    expect(usableMs).to.not.deep.equal([]);
  });

  it("runs one node in the foreground from its configuration file", async () => {
    const base = await freeBase();
    const peers = [0, 1, 2].map((at) => `n${at}-127.0.0.1:${base + at}`).join(";");
    const nodes = [0, 1, 2].map((at) => {
      const config = fs
        .readFileSync(path.join(projectRoot, `conf/n${at}.conf`), "utf8")
        .replace(/4091(\d)/g, (_, digit) => String(base + Number(digit) - 1))
        .replace(/4191(\d)/g, (_, digit) => String(base + 1_000 + Number(digit) - 1))
        .replace(/^storePathRootDir *=.*$/m, `storePathRootDir=${path.join(directory, `n${at}`)}`);
      const file = path.join(directory, `n${at}.conf`);
      fs.writeFileSync(file, config);
      const args = ["start", "--silent", "--", "--config", file];
      return spawn("npm", args, { cwd: projectRoot, stdio: "ignore" });
    });
    const args = ["log", "append", "--data", "x", "--timeout", "15s", "--peers", peers];
    const appended = await quorumlog(args);
    expect(appended.code, appended.stderr).to.equal(0);
    const codes = nodes.map((node) => new Promise((resolve) => node.once("exit", resolve)));
    for (const node of nodes) node.kill("SIGTERM");
    expect(await Promise.all(codes)).to.deep.equal([0, 0, 0]);
    await expectNothingLeft(base);
  });

  it("ends with 69 and the port's name when a port is in use, and leaves nothing running", async () => {
    const base = await freeBase();
    const squatter = net.createServer();
    await new Promise<void>((resolve) => squatter.listen(base + 1, "127.0.0.1", resolve));
    try {
      const result = await quorumlog(["start", "--base-port", String(base)], { cwd: directory });
      expect(result.code, result.stderr).to.equal(69);
      expect(result.stderr).to.contain(
        `n1 could not start: cannot listen on 127.0.0.1:${base + 1}: another process listens there`,
      );
      expect(await isFree(base)).to.equal(true);
    } finally {
      squatter.close();
    }
  });

  it("tells a wrong setting of all three nodes once", async () => {
    const base = String(await freeBase());
    const args = ["start", "--base-port", base, "--election-timeout-ms-min", "1"];
    const { code, stderr } = await quorumlog(args, { cwd: directory });
    expect(code, stderr).to.equal(78);
    expect(stderr).to.match(/^n0, n1, n2 could not start: electionTimeoutMsMin is "1" \(flag --election/);
    expect(stderr.match(/electionTimeoutMsMin is/g)).to.have.length(1);
  });

  it("the variable that names a node starts that one, as its flag does", async () => {
    const env = { QUORUMLOG_SELF_ID: "n9" };
    const { code, stderr } = await quorumlog(["start"], { cwd: directory, env });
    expect(code, stderr).to.equal(78);
    expect(stderr).to.contain('dLegerSelfId is "n9" (variable QUORUMLOG_SELF_ID); allowed: one of the ids');
  });

  it("ends with 78, the key and the path where no data can be kept, and says what to do", async () => {
    const file = path.join(directory, "file");
    fs.writeFileSync(file, "x");
    const one = ["--self-id", "n0"];
    for (const data of [file, "/dev/null/x", ...(process.platform === "linux" ? ["/proc/nope"] : [])])
      for (const args of [[], one]) {
        const result = await quorumlog(["start", ...args, "--data", data], { cwd: directory });
        const called = `${args.join(" ")} --data ${data}: ${result.stderr}`;
        expect(result.code, called).to.equal(78);
        expect(result.stderr, called).to.contain(`storePathRootDir is "${data}" (flag --data)`);
        expect(result.stderr, called).to.contain("name a directory that this user can make and write");
        expect(result.stderr, called).to.not.match(/\n\s+at /);
      }
  });

  it("an empty place for data is none", async () => {
    for (const args of [[], ["--self-id", "n0"]])
      for (const data of ["", " "]) {
        const result = await quorumlog(["start", ...args, "--data", data], { cwd: directory });
        expect(result.code, result.stderr).to.equal(78);
        expect(result.stderr).to.contain('storePathRootDir is "" (flag --data); allowed: a path');
      }
    expect(fs.readdirSync(directory)).to.deep.equal([]);
  });

  it("a damaged directory ends with 78, its path and what to do", async () => {
    const data = path.join(directory, "n0");
    const port = await freeBase();
    const args = [
      ...["start", "--self-id", "n0", "--peers", `n0-127.0.0.1:${port}`],
      ...["--data", data, "--http-port", String(port + 1_000)],
    ];
    child = spawn(process.execPath, [program, ...args], { stdio: "ignore" });
    const append = ["log", "append", "--data", "x", "--timeout", "15s", "--peers", `n0-127.0.0.1:${port}`];
    expect((await quorumlog(append)).code).to.equal(0);
    child.kill("SIGTERM");
    expect(await ended()).to.equal(0);
    const group = path.join(data, "g0");
    for (const name of fs.readdirSync(group))
      if (/identity/.test(name)) fs.writeFileSync(path.join(group, name), "x");
    const { code, stderr } = await quorumlog(args);
    expect(code, stderr).to.equal(78);
    expect(stderr).to.match(/^quorumlog start: damaged\n/);
    expect(stderr)
      .to.contain(`directory ${data}: `)
      .and.to.match(/give it its file back, or the node an empty directory/);
  });

  it("refuses what is no port, no option and no key", async () => {
    const refused = async (code: number, args: readonly string[], told: RegExp): Promise<void> => {
      const result = await quorumlog(["start", ...args], { cwd: directory });
      expect(result.code, args.join(" ")).to.equal(code);
      expect(result.stderr).to.match(told);
    };
    fs.writeFileSync(path.join(directory, "bad.conf"), "dLegerSelfId=n0\ndLegerPeer=x\nhttpPort=0\n");
    await Promise.all([
      refused(64, ["--base-port", "99999"], /whole number from 1 to/),
      refused(64, ["--basport", "1"], /did you mean --base-port\?/i),
      refused(64, ["--self-id", "n0", "--base-port", "50000"], /--base-port places three nodes.*--peers/),
      refused(
        64,
        ["--config", "bad.conf", "--base-port", "40911"],
        /--base-port places three.*--config starts/,
      ),
      refused(64, ["--http-port", "77"], /--http-port is of one node.*--base-port N puts HTTP at N\+1000/),
      refused(64, ["--peers", "n0-127.0.0.1:1"], /--peers is of one node/),
      refused(64, ["three"], /three|too many|unexpected/i),
      refused(
        78,
        ["--config", "bad.conf"],
        /unknown key dLegerPeer \(bad\.conf:2\); did you mean dLegerPeers\?/,
      ),
      refused(
        78,
        ["--config", "bad.conf"],
        /httpPort is "0" \(bad\.conf:3\); allowed: a whole number from 1 to 65535/,
      ),
      refused(78, ["--config", "none.conf"], /there is no such file/),
      refused(78, ["--self-id", "n9"], /one of the ids in dLegerPeers/),
    ]);
  });
});
