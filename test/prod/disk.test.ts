import type { ChildProcess } from "node:child_process";
import { fork, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import type { Call } from "#core/base/task";
import type { DiskFile, DiskLock } from "#core/io/disk";
import { DiskFault } from "#core/io/disk";
import { FileDisk } from "#prod/disk";
import { OpenFile } from "#prod/disk-file";
import { lockFileName } from "#prod/lock";
import { Turns } from "#prod/turn";
import { skipLoudly } from "../support/skip.ts";

function settle<T>(call: Call<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let returned = false;
    call((error, value) => {
      if (!returned) reject(new Error("completed inside the call"));
      else if (error === undefined) resolve(value);
      else reject(error);
    });
    returned = true;
  });
}

async function faultOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof DiskFault ? error.code : `no fault: ${String(error)}`;
}

const text = (file: string): string => fs.readFileSync(file, "utf8");
const bytes = (word: string): Uint8Array => new TextEncoder().encode(word);

describe("the file disk", () => {
  let root: string;
  let disk: FileDisk;

  beforeEach(async () => {
    root = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-disk-")), "node");
    disk = new FileDisk(root, new Turns());
    await settle<void>((done) => disk.makeDirectory("g0/deep", done));
  });
  afterEach(() => fs.rmSync(path.dirname(root), { recursive: true, force: true }));

  it("writes several parts behind each other and reads them back, short only at the end of the file", async () => {
    const file = await settle<DiskFile>((done) => disk.open("g0/a", "new", done));
    const parts = Array.from({ length: 1_500 }, (_, i) => bytes(`${i};`));
    await settle<void>((done) => file.write(3, [...parts, new Uint8Array(0)], done));
    await settle<void>((done) => file.sync(done));
    const whole = Array.from({ length: 1_500 }, (_, i) => `${i};`).join("");
    expect(text(path.join(root, "g0/a"))).to.equal(`\0\0\0${whole}`);
    expect(await settle<number>((done) => file.size(done))).to.equal(whole.length + 3);
    const read = await settle<Uint8Array>((done) => file.read(whole.length - 7, 100, done));
    expect(Buffer.from(read).toString()).to.equal(whole.slice(-10));
    // A Buffer's `slice` would share memory, on which core does not reckon.
    expect(Object.getPrototypeOf(read)).to.equal(Uint8Array.prototype);
    expect((await settle<Uint8Array>((done) => file.read(99_999, 5, done))).length).to.equal(0);
    await settle<void>((done) => file.truncate(4, done));
    expect(text(path.join(root, "g0/a"))).to.equal("\0\0\x000");
    await settle<void>((done) => file.close(done));
  });

  it("finishes a write that the host takes in pieces", async () => {
    const whole = path.join(root, "pieces");
    const fd = fs.openSync(whole, "wx+");
    const host = createRequire(import.meta.url)("node:fs") as { writev: unknown };
    const original = host.writev;
    let calls = 0;
    // Takes at most five bytes a call, as a host may.
    const pieces = (
      at: number,
      parts: Uint8Array[],
      position: number,
      done: (e: Error | null, n: number) => void,
    ) => {
      calls += 1;
      const some = Buffer.concat(parts).subarray(0, 5);
      fs.write(at, some, 0, some.length, position, done);
    };
    host.writev = pieces;
    syncBuiltinESMExports();
    try {
      const file = new OpenFile({
        fd,
        path: whole,
        name: "pieces",
        complete: (_operation, done) => done,
        meter: undefined,
      });
      await settle<void>((done) => file.write(1, [bytes("abcdefg"), bytes("hij"), bytes("klmnop")], done));
      if (calls === 0) throw new Error("the host's writev was not replaced");
      expect(text(whole)).to.equal("\0abcdefghijklmnop");
      await settle<void>((done) => file.close(done));
    } finally {
      host.writev = original;
      syncBuiltinESMExports();
    }
  });

  it("writes what is durable at once, also where the file cannot be opened for that", async () => {
    const name = path.join(root, "g0/durable");
    const moved = `${name}.moved`;
    const file = await settle<DiskFile>((done) => disk.open("g0/durable", "new", done));
    // The first two find it not opened yet.
    await Promise.all([
      settle<void>((done) => file.writeSynced(0, [bytes("abc")], done)),
      settle<void>((done) => file.writeSynced(3, [bytes("def")], done)),
    ]);
    await settle<void>((done) => file.writeSynced(4, [bytes("XYZ")], done));
    expect(text(name)).to.equal("abcdXYZ");
    // Another file of that name is not written in place of this one.
    const other = await settle<DiskFile>((done) => disk.open("g0/durable", "existing", done));
    fs.renameSync(name, moved);
    fs.writeFileSync(name, "other");
    await settle<void>((done) => other.writeSynced(0, [bytes("now")], done));
    fs.unlinkSync(name);
    await settle<void>((done) => other.writeSynced(3, [bytes("!")], done));
    expect(text(moved)).to.equal("now!XYZ");
    for (const open of [file, other]) await settle<void>((done) => open.close(done));
  });

  it("names faults: missing, exists, and what it cannot name is io", async () => {
    const open = (name: string, mode: "existing" | "new") =>
      faultOf(settle<DiskFile>((done) => disk.open(name, mode, done)));
    expect(await open("g0/none", "existing")).to.equal("missing");
    fs.writeFileSync(path.join(root, "g0/there"), "");
    expect(await open("g0/there", "new")).to.equal("exists");
    expect(await open("g0/deep", "existing")).to.equal("io");
    expect(await faultOf(settle<readonly string[]>((done) => disk.list("none", done)))).to.equal("missing");
    expect(await faultOf(settle<void>((done) => disk.remove("none", done)))).to.equal("missing");
    expect(await faultOf(settle<void>((done) => disk.rename("none", "some", done)))).to.equal("missing");
    expect(await faultOf(settle<void>((done) => disk.makeDirectory("g0/there", done)))).to.equal("exists");
  });

  it("tells a full disk from a broken one, and the file stays usable", async function () {
    if (!fs.existsSync("/dev/full")) skipLoudly(this, "this system has no /dev/full");
    const fd = fs.openSync("/dev/full", "r+");
    const turns = new Turns();
    const outside = new FileDisk("/dev", turns);
    fs.closeSync(fd);
    const file = await settle<DiskFile>((done) => outside.open("full", "existing", done));
    expect(await faultOf(settle<void>((done) => file.write(0, [bytes("x")], done)))).to.equal("full");
    await settle<void>((done) => file.close(done));
  });

  it("after a failed write or sync, no sync of that file succeeds again", async () => {
    const file = await settle<DiskFile>((done) => disk.open("g0/b", "new", done));
    const { fd } = file as unknown as { fd: number };
    const readOnly = fs.openSync(path.join(root, "g0/b"), "r");
    Object.assign(file, { fd: readOnly });
    expect(await faultOf(settle<void>((done) => file.write(0, [bytes("x")], done)))).to.equal("io");
    Object.assign(file, { fd });
    expect(await faultOf(settle<void>((done) => file.sync(done)))).to.equal("io");
    fs.closeSync(readOnly);
    await settle<void>((done) => file.close(done));
  });

  it("lists names by code unit, without its own lock file", async () => {
    for (const name of ["b", "B", "a", "é", lockFileName]) fs.writeFileSync(path.join(root, name), "");
    expect(await settle<readonly string[]>((done) => disk.list("", done))).to.deep.equal([
      "B",
      "a",
      "b",
      "g0",
      "é",
    ]);
  });

  it("keeps every path below the node's directory", () => {
    for (const name of ["../x", "/etc/passwd", "g0/../../x", "g0//x", "g0/./x", "a\0b", "a\\b"]) {
      expect(() => disk.open(name, "new", () => undefined), name).to.throw("below the node's directory");
    }
  });

  describe("lock", () => {
    const holder = `
      import { FileDisk } from "#prod/disk";
      import { Turns } from "#prod/turn";
      new FileDisk(process.argv[2] ?? "", new Turns()).lock("", (error) => process.send?.(error ? String(error) : "held"));
      setInterval(() => undefined, 1_000);
    `;
    const holders: ChildProcess[] = [];
    // Those of a test that failed would outlive it, and the run wait for them.
    after(() => {
      for (const child of holders) child.kill("SIGKILL");
    });
    const hold = async (): Promise<{ answer: unknown; kill(): Promise<void>; pid: number | undefined }> => {
      const script = path.join(import.meta.dirname, `.holder-${process.pid}.ts`);
      fs.writeFileSync(script, holder);
      const child = fork(script, [root], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      holders.push(child);
      const answer = await new Promise((resolve) => child.once("message", resolve));
      fs.rmSync(script, { force: true });
      const kill = (): Promise<void> =>
        new Promise((resolve) => {
          child.once("exit", () => resolve());
          child.kill("SIGKILL");
        });
      return { answer, kill, pid: child.pid };
    };
    const lock = (): Promise<DiskLock> => settle<DiskLock>((done) => disk.lock("", done));

    it("is refused to a second one in the process, and free again once released", async () => {
      const first = await lock();
      const error = await lock().catch((thrown: Error) => thrown);
      expect(error).to.be.instanceOf(DiskFault);
      expect(String(error)).to.contain(`in use by process ${process.pid}`);
      await settle<void>((done) => first.release(done));
      const again = await lock();
      await settle<void>((done) => again.release(done));
    });

    it("is refused, by pid, while another process holds it, and free at once when that is killed", async () => {
      const other = await hold();
      expect(other.answer).to.equal("held");
      const error = await lock().catch((thrown: Error) => thrown);
      expect(String(error)).to.contain(`in use by process ${other.pid}`);
      expect((error as DiskFault).code).to.equal("locked");
      await other.kill();
      const begun = performance.now();
      const mine = await lock();
      expect(performance.now() - begun).to.be.below(2_000);
      await settle<void>((done) => mine.release(done));
    });

    it("takes no notice of a file left by a process that is gone, though its pid is used again", async () => {
      const file = path.join(root, lockFileName);
      const boot = fs.existsSync("/proc/sys/kernel/random/boot_id")
        ? text("/proc/sys/kernel/random/boot_id").trim()
        : "";
      const gone = spawnSync(process.execPath, ["-e", ""]).pid;
      for (const left of [
        { pid: gone, started: "1", boot },
        { pid: process.ppid, started: "1", boot },
        { pid: 1, started: "", boot: "another boot" },
      ]) {
        fs.writeFileSync(file, JSON.stringify(left));
        const mine = await lock();
        await settle<void>((done) => mine.release(done));
      }
      fs.writeFileSync(file, "torn {");
      const last = await lock();
      await settle<void>((done) => last.release(done));
    });
  });
});
