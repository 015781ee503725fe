import type { Done } from "../core/base/task.ts";
import type { DiskFile } from "../core/io/disk.ts";
import { DiskFault } from "../core/io/disk.ts";
import type { DiskWorld } from "./disk.ts";
import type { SimFile } from "./sim-file.ts";

/** An open file of a simulated disk, for one life of its process. */
export class OpenFile implements DiskFile {
  private readonly world: DiskWorld;
  private readonly file: SimFile;
  private readonly path: string;

  constructor(world: DiskWorld, file: SimFile, path: string) {
    this.world = world;
    this.file = file;
    this.path = path;
  }

  private on(bytes: number): { readonly path: string; readonly bytes: number } {
    return { path: this.path, bytes };
  }

  read(offset: number, length: number, done: Done<Uint8Array>): void {
    this.world.submit("read", this.on(length), done, () => this.world.readBack(this.file, offset, length));
  }

  write(offset: number, parts: readonly Uint8Array[], done: Done<void>): void {
    const { world, file } = this;
    let length = 0;
    for (const part of parts) length += part.length;
    const n = ++world.stamp;
    const full = this.noRoom(offset + length);
    // The page cache changes at once, so a crash before the completion finds any part of the write.
    if (full === undefined && length > 0) {
      if (offset < file.end) world.onOverwrite?.(this.path);
      world.writing(file, offset, parts, length);
      file.write(offset, parts, n);
    }
    world.submit("write", this.on(length), done, (failed) => {
      if (full !== undefined) throw full;
      if (failed === undefined && length > 0) file.completed(offset, length, n, ++world.stamp);
    });
  }

  /** Both steps, each with its faults: a crash comes between them too. */
  writeSynced(offset: number, parts: readonly Uint8Array[], done: Done<void>): void {
    this.write(offset, parts, (error) => {
      if (error !== undefined) return done(error, undefined);
      const end = parts.reduce((sum, part) => sum + part.length, offset);
      this.syncRange(offset, end, done);
    });
  }

  sync(done: Done<void>): void {
    this.syncRange(0, Number.POSITIVE_INFINITY, done);
  }

  private syncRange(from: number, to: number, done: Done<void>): void {
    const { world, file } = this;
    const mark = world.stamp;
    file.syncBegun();
    const carryOut = (failed: DiskFault | undefined): void => {
      file.syncDone(mark, failed === undefined, from, to);
      if (!world.tree.names(file)) world.trace.fault(world.host.id, "nameless-sync", this.path);
    };
    world.submit("sync", this.on(0), done, carryOut);
  }

  truncate(length: number, done: Done<void>): void {
    const { world, file } = this;
    const full = this.noRoom(length);
    world.submit("write", this.on(0), done, (failed) => {
      if (full !== undefined) throw full;
      if (failed !== undefined) return;
      world.stamp += 2;
      file.truncate(length, world.stamp - 1, world.stamp);
    });
  }

  size(done: Done<number>): void {
    this.world.submit("read", this.on(0), done, () => this.file.length);
  }

  close(done: Done<void>): void {
    // What matters was synced before: a close that fails tells nothing about it, and none does here.
    this.world.submit("write", { ...this.on(0), sound: true }, done, () => undefined);
  }

  private noRoom(end: number): DiskFault | undefined {
    try {
      this.world.reserve(end - this.file.length);
    } catch (error) {
      if (error instanceof DiskFault) return error;
      throw error;
    }
    return undefined;
  }
}
