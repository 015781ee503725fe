import * as fs from "node:fs";

/**
 * The contents of a file that has few. What is no regular file is refused before it is opened, since a device has no
 * end and a pipe may never have a beginning; what grows meanwhile, or tells no size, is read no further than it takes to
 * know.
 * @throws what the file system says, or Error when it is no file or has more than `bytesMax`.
 */
export function readSmallFile(file: string, bytesMax: number): Buffer {
  const found = fs.statSync(file);
  if (found.isDirectory()) throw new Error("it is a directory");
  if (!found.isFile()) throw new Error("it is no regular file");
  const at = fs.openSync(file, "r");
  try {
    const { size } = fs.fstatSync(at);
    if (size > bytesMax) throw tooLarge(`${size}`, bytesMax);
    const bytes = Buffer.alloc(bytesMax + 1);
    let filled = 0;
    for (let more = -1; more !== 0 && filled < bytes.length; filled += more)
      more = fs.readSync(at, bytes, filled, bytes.length - filled, null);
    if (filled > bytesMax) throw tooLarge(`more than ${bytesMax}`, bytesMax);
    return bytes.subarray(0, filled);
  } finally {
    fs.closeSync(at);
  }
}

function tooLarge(has: string, bytesMax: number): Error {
  return new Error(`it has ${has} bytes, and at most ${bytesMax} are read`);
}
