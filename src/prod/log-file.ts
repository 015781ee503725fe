import * as fs from "node:fs";

/** Variable in which `quorumlog start` names its nodes' logs; none of the configuration, and so none with its prefix. */
export const logFileVariable = "_QUORUMLOG_LOG_FILE";

/** A log that has grown so far is put aside as `.1`, in place of the one before. */
const fileBytesMax = 16 * 1_024 * 1_024;
/** Of what is said before the file may be opened. */
const heldBytesMax = 1_024 * 1_024;

/**
 * A log file of bounded size. Until it is opened its lines are held: a node that does not get its directory's lock must
 * not write into the log of the one that has it. What is held at the end of the process goes to standard error.
 */
export class LogFile {
  private readonly path: string;
  private readonly bytesMax: number;
  private file: number | undefined;
  private bytes = 0;
  private held = "";

  constructor(path: string, bytesMax: number = fileBytesMax) {
    this.path = path;
    this.bytesMax = bytesMax;
    process.once("exit", () => this.tellHeld());
  }

  /** @throws when it cannot be opened. */
  open(): void {
    this.file = fs.openSync(this.path, "a");
    this.bytes = fs.fstatSync(this.file).size;
    const { held } = this;
    this.held = "";
    if (held !== "") this.write(held);
  }

  /** At once, so that a crash leaves no line behind. A node does not die of a log that takes nothing. */
  write(text: string): void {
    if (this.file === undefined) {
      if (this.held.length < heldBytesMax) this.held += text;
      return;
    }
    try {
      if (this.bytes > 0 && this.bytes + text.length > this.bytesMax) this.rotate(this.file);
      this.bytes += fs.writeSync(this.file, text);
    } catch {
      // As on a full disk.
    }
  }

  private rotate(old: number): void {
    fs.renameSync(this.path, `${this.path}.1`);
    this.file = fs.openSync(this.path, "a");
    this.bytes = 0;
    fs.closeSync(old);
  }

  private tellHeld(): void {
    try {
      if (this.held !== "") fs.writeSync(2, this.held);
    } catch {
      // Nobody listens.
    }
  }
}
