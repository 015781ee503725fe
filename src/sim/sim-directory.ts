import { DiskFault } from "../core/io/disk.ts";
import type { Site } from "./decisions.ts";
import type { SimFile } from "./sim-file.ts";

export type DirectoryNode = SimDirectory | SimFile;

/** A change of names that no directory sync has covered yet. */
interface Change {
  /** Completion, in the disk's count; Infinity before it. */
  stamp: number;
  /** Directories whose sync it still waits for. */
  readonly waiting: Set<SimDirectory>;
  readonly remove:
    | { readonly directory: SimDirectory; readonly name: string; readonly file: SimFile }
    | undefined;
  readonly add:
    | { readonly directory: SimDirectory; readonly name: string; readonly file: SimFile }
    | undefined;
}

/** What processes see, and what the disk is certain to hold. Directories themselves are durable at once. */
export class SimDirectory {
  readonly entries: Map<string, DirectoryNode> = new Map();
  readonly durable: Map<string, SimFile> = new Map();
}

/** The names on one disk: the tree, and the changes that a crash may undo, in the order in which they were made. */
export class DirectoryTree {
  private readonly root = new SimDirectory();
  private changes: Change[] = [];

  /** @throws DiskFault missing when a name on the way is missing or is a file. */
  directory(path: string): SimDirectory {
    let at: DirectoryNode = this.root;
    for (const name of namesOf(path)) {
      const next: DirectoryNode | undefined = at.entries.get(name);
      if (!(next instanceof SimDirectory)) throw new DiskFault("missing", `no directory ${path}`);
      at = next;
    }
    return at;
  }

  make(path: string): void {
    let at: SimDirectory = this.root;
    for (const name of namesOf(path)) {
      let next = at.entries.get(name);
      if (next === undefined) {
        next = new SimDirectory();
        at.entries.set(name, next);
      }
      if (!(next instanceof SimDirectory)) throw new DiskFault("exists", `a file is in the way of ${path}`);
      at = next;
    }
  }

  list(path: string): string[] {
    return [...this.directory(path).entries.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  find(path: string): SimFile | undefined {
    const { parent, name } = split(path);
    const found = this.directory(parent).entries.get(name);
    return found instanceof SimDirectory ? undefined : found;
  }

  create(path: string, file: SimFile): Change {
    const { parent, name } = split(path);
    const directory = this.directory(parent);
    if (directory.entries.has(name)) throw new DiskFault("exists", `${path} exists`);
    directory.entries.set(name, file);
    return this.changed([directory], undefined, { directory, name, file });
  }

  rename(from: string, to: string): Change {
    const source = split(from);
    const target = split(to);
    const fromDirectory = this.directory(source.parent);
    const toDirectory = this.directory(target.parent);
    const file = fromDirectory.entries.get(source.name);
    if (file === undefined || file instanceof SimDirectory) throw new DiskFault("missing", `no file ${from}`);
    if (toDirectory.entries.get(target.name) instanceof SimDirectory) {
      throw new DiskFault("exists", `a directory is in the way of ${to}`);
    }
    fromDirectory.entries.delete(source.name);
    toDirectory.entries.set(target.name, file);
    return this.changed(
      [fromDirectory, toDirectory],
      { directory: fromDirectory, name: source.name, file },
      { directory: toDirectory, name: target.name, file },
    );
  }

  remove(path: string): Change {
    const { parent, name } = split(path);
    const directory = this.directory(parent);
    const file = directory.entries.get(name);
    if (file === undefined || file instanceof SimDirectory) throw new DiskFault("missing", `no file ${path}`);
    directory.entries.delete(name);
    return this.changed([directory], { directory, name, file }, undefined);
  }

  /** A sync of the directory, submitted when the disk's count stood at `mark`, has completed. */
  synced(directory: SimDirectory, mark: number): void {
    const left: Change[] = [];
    for (const change of this.changes) {
      if (change.stamp <= mark) change.waiting.delete(directory);
      if (change.waiting.size === 0) carryOut(change);
      else left.push(change);
    }
    this.changes = left;
  }

  /** The process was killed: what it changed stays visible, and the next sync covers it. */
  processGone(): void {
    for (const change of this.changes) if (change.stamp === Number.POSITIVE_INFINITY) change.stamp = 0;
  }

  /** Each change that no sync covered is undone unless `survive` says otherwise. */
  powerLoss(survive: Site, nextKey: () => number, probability: number): void {
    for (const change of this.changes) if (survive.chance(nextKey(), probability)) carryOut(change);
    this.changes = [];
    restore(this.root);
  }

  /** Whether a file has a name. */
  names(file: SimFile): boolean {
    const within = (directory: SimDirectory): boolean => {
      for (const node of directory.entries.values())
        if (node === file || (node instanceof SimDirectory && within(node))) return true;
      return false;
    };
    return within(this.root);
  }

  /** Every file that has a name, in a fixed order. */
  files(): SimFile[] {
    const found: SimFile[] = [];
    const walk = (directory: SimDirectory): void => {
      for (const node of directory.entries.values()) {
        if (node instanceof SimDirectory) walk(node);
        else found.push(node);
      }
    };
    walk(this.root);
    return found;
  }

  /** Takes every name away: the disk was replaced by an empty one. */
  wipe(): void {
    this.changes = [];
    this.root.entries.clear();
    this.root.durable.clear();
  }

  private changed(waiting: SimDirectory[], remove: Change["remove"], add: Change["add"]): Change {
    const change: Change = { stamp: Number.POSITIVE_INFINITY, waiting: new Set(waiting), remove, add };
    this.changes.push(change);
    return change;
  }
}

function carryOut({ remove, add }: Change): void {
  // Changes may be carried out without those before them, so only the name's own file is taken away.
  if (remove !== undefined && remove.directory.durable.get(remove.name) === remove.file) {
    remove.directory.durable.delete(remove.name);
  }
  if (add !== undefined) add.directory.durable.set(add.name, add.file);
}

function restore(directory: SimDirectory): void {
  for (const [name, node] of directory.entries) {
    if (node instanceof SimDirectory) restore(node);
    else directory.entries.delete(name);
  }
  for (const [name, file] of directory.durable) directory.entries.set(name, file);
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

function split(path: string): { readonly parent: string; readonly name: string } {
  const names = namesOf(path);
  const name = names.pop();
  if (name === undefined) throw new DiskFault("missing", "the root is not a file");
  return { parent: names.join("/"), name };
}
