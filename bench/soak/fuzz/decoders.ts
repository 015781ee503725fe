import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { Decoder } from "./decoder.ts";
import { frameDecoders } from "./frame-decoders.ts";
import { storageDecoders } from "./storage-decoders.ts";
import { textDecoders } from "./text-decoders.ts";

/** Every decoder that reads what somebody else wrote. */
export function allDecoders(folder: string): readonly Decoder[] {
  return [...storageDecoders, ...frameDecoders, ...textDecoders(folder)];
}

/** A folder for the files that decoders read; in memory where there is such a place. */
export function scratchFolder(): string {
  const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();
  return fs.mkdtempSync(path.join(parent, "quorumlog-fuzz-"));
}
