import { expect } from "chai";
import type { DiskFile, DiskLock } from "#core/io/disk";
import { DiskFault } from "#core/io/disk";
import type { IoWorld, MakeIoWorld } from "./world.ts";
import { completes, fails } from "./world.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

async function create(world: IoWorld, path: string, content?: Uint8Array): Promise<DiskFile> {
  const file = await completes<DiskFile>(world, (done) => world.host.disk.open(path, "new", done));
  if (content !== undefined) await completes<void>(world, (done) => file.write(0, [content], done));
  return file;
}

const readAll = (world: IoWorld, file: DiskFile): Promise<Uint8Array> =>
  completes<Uint8Array>(world, (done) => file.read(0, 1 << 20, done));

/** The contract of `core/io/disk.ts`, as far as it can be seen without a crash. */
export function diskSuite(make: MakeIoWorld): void {
  describe("disk", () => {
    let world: IoWorld;
    beforeEach(async () => {
      world = await make();
    });
    afterEach(() => world.dispose());

    fileTests(() => world);
    nameTests(() => world);
    lockTests(() => world);
  });
}

function fileTests(world: () => IoWorld): void {
  it("reads back what was written, all parts behind each other", async () => {
    const file = await create(world(), "a");
    await completes<void>(world(), (done) => file.write(0, [bytes(1, 2), bytes(), bytes(3)], done));
    await completes<void>(world(), (done) => file.write(3, [bytes(4, 5)], done));
    expect([...(await readAll(world(), file))]).to.deep.equal([1, 2, 3, 4, 5]);
    expect([...(await completes<Uint8Array>(world(), (done) => file.read(1, 3, done)))]).to.deep.equal([
      2, 3, 4,
    ]);
  });

  it("overwrites in place, across sector and page bounds", async () => {
    const content = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) & 255);
    const file = await create(world(), "a", content);
    const patch = new Uint8Array(70_001).fill(9);
    await completes<void>(world(), (done) => file.write(511, [patch], done));
    content.set(patch, 511);
    expect(Buffer.compare(await readAll(world(), file), content)).to.equal(0);
  });

  it("reads fewer bytes only at the end of the file", async () => {
    const file = await create(world(), "a", bytes(1, 2, 3));
    expect([...(await completes<Uint8Array>(world(), (done) => file.read(2, 10, done)))]).to.deep.equal([3]);
    expect([...(await completes<Uint8Array>(world(), (done) => file.read(3, 10, done)))]).to.deep.equal([]);
    expect([...(await completes<Uint8Array>(world(), (done) => file.read(9, 10, done)))]).to.deep.equal([]);
  });

  it("fills a gap with zeros when a write begins behind the end", async () => {
    const file = await create(world(), "a", bytes(1));
    await completes<void>(world(), (done) => file.write(4, [bytes(2)], done));
    expect([...(await readAll(world(), file))]).to.deep.equal([1, 0, 0, 0, 2]);
    expect(await completes<number>(world(), (done) => file.size(done))).to.equal(5);
  });

  it("sets the length: what is cut is gone, what is added is zero", async () => {
    const file = await create(world(), "a", bytes(1, 2, 3, 4));
    await completes<void>(world(), (done) => file.truncate(2, done));
    await completes<void>(world(), (done) => file.truncate(4, done));
    expect([...(await readAll(world(), file))]).to.deep.equal([1, 2, 0, 0]);
    expect(await completes<number>(world(), (done) => file.size(done))).to.equal(4);
  });

  it("gives the reader bytes that no later write changes", async () => {
    const before = new Uint8Array(8_192).fill(1);
    const file = await create(world(), "a", before);
    const read = await readAll(world(), file);
    const after = new Uint8Array(8_192).fill(2);
    let written = false;
    file.write(0, [after], (error) => {
      written = error === undefined;
    });
    await world().settle(() => written);
    expect(read).to.deep.equal(before);
    expect(await readAll(world(), file)).to.deep.equal(after);
  });

  it("completes in the order write, sync, answer when each is submitted after the last", async () => {
    const file = await create(world(), "a");
    const order: string[] = [];
    file.write(0, [new Uint8Array(4_096).fill(1)], (error) => {
      order.push(error === undefined ? "write" : "failed");
      file.sync((failed) => {
        order.push(failed === undefined ? "sync" : "failed");
        order.push("answer");
      });
    });
    expect(order).to.deep.equal([]);
    await world().settle(() => order.includes("answer"));
    expect(order).to.deep.equal(["write", "sync", "answer"]);
  });

  it("writes durably what a later write goes on behind, and extends the file", async () => {
    const file = await create(world(), "a", bytes(1, 2, 3));
    await completes<void>(world(), (done) => file.writeSynced(2, [bytes(4), bytes(5, 6)], done));
    await completes<void>(world(), (done) => file.write(5, [bytes(7)], done));
    expect([...(await readAll(world(), file))]).to.deep.equal([1, 2, 4, 5, 6, 7]);
    expect(await completes<number>(world(), (done) => file.size(done))).to.equal(6);
  });

  it("keeps a closed file's content for the next opening", async () => {
    const file = await create(world(), "a", bytes(7));
    await completes<void>(world(), (done) => file.close(done));
    const again = await completes<DiskFile>(world(), (done) => world().host.disk.open("a", "existing", done));
    expect([...(await readAll(world(), again))]).to.deep.equal([7]);
  });
}

function nameTests(world: () => IoWorld): void {
  const list = (path: string): Promise<readonly string[]> =>
    completes<readonly string[]>(world(), (done) => world().host.disk.list(path, done));
  const disk = () => world().host.disk;

  it("refuses to open what is missing, and to make what exists", async () => {
    const missing = await fails<DiskFile>(world(), (done) => disk().open("a", "existing", done));
    expect(missing).to.be.instanceOf(DiskFault);
    expect(missing.code).to.equal("missing");
    await create(world(), "a");
    expect((await fails<DiskFile>(world(), (done) => disk().open("a", "new", done))).code).to.equal("exists");
    expect((await fails<DiskFile>(world(), (done) => disk().open("d/a", "new", done))).code).to.equal(
      "missing",
    );
  });

  it("lists names sorted by code unit", async () => {
    await completes<void>(world(), (done) => disk().makeDirectory("d/e", done));
    for (const name of ["d/b", "d/a", "d/Z", "d/10", "d/9"]) await create(world(), name);
    expect(await list("d")).to.deep.equal(["10", "9", "Z", "a", "b", "e"]);
    const missing = await fails<readonly string[]>(world(), (done) => disk().list("nowhere", done));
    expect(missing.code).to.equal("missing");
  });

  it("makes a directory with its parents, and does not mind one that exists", async () => {
    await completes<void>(world(), (done) => disk().makeDirectory("x/y/z", done));
    await completes<void>(world(), (done) => disk().makeDirectory("x/y", done));
    expect(await list("x/y")).to.deep.equal(["z"]);
  });

  it("renames over an existing file, whose content is replaced at once", async () => {
    await create(world(), "old", bytes(1));
    await create(world(), "new", bytes(2));
    await completes<void>(world(), (done) => disk().rename("new", "old", done));
    await completes<void>(world(), (done) => disk().syncDirectory(".", done));
    const file = await completes<DiskFile>(world(), (done) => disk().open("old", "existing", done));
    expect([...(await readAll(world(), file))]).to.deep.equal([2]);
    expect(await list(".")).to.deep.equal(["old"]);
    expect((await fails<void>(world(), (done) => disk().rename("gone", "old", done))).code).to.equal(
      "missing",
    );
  });

  it("removes a file", async () => {
    await create(world(), "a");
    await completes<void>(world(), (done) => disk().remove("a", done));
    expect(await list(".")).to.deep.equal([]);
    expect((await fails<void>(world(), (done) => disk().remove("a", done))).code).to.equal("missing");
  });
}

function lockTests(world: () => IoWorld): void {
  it("lets one process hold a directory, and the next one once it was released", async () => {
    await completes<void>(world(), (done) => world().host.disk.makeDirectory("d", done));
    const lock = await completes<DiskLock>(world(), (done) => world().host.disk.lock("d", done));
    const refused = await fails<DiskLock>(world(), (done) => world().other.disk.lock("d", done));
    expect(refused).to.be.instanceOf(DiskFault);
    expect(refused.code).to.equal("locked");
    await completes<void>(world(), (done) => lock.release(done));
    const next = await completes<DiskLock>(world(), (done) => world().other.disk.lock("d", done));
    // Held on, it would keep out whoever makes a directory that the file system gives the same inode.
    await completes<void>(world(), (done) => next.release(done));
  });
}
