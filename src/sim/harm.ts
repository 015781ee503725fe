import { recordHeaderBytes } from "../core/base/entry.ts";
import { batchBytes } from "../core/storage/batch.ts";
import { batchHeaderBytes, positionOf, segmentHeaderBytes } from "../core/storage/format.ts";
import { slotBytes } from "../core/storage/meta.ts";
import type { FrameOnDisk, LogMap } from "./log-map.ts";
import { recordsOf } from "./log-map.ts";
import { RandomStream } from "./random.ts";
import { sectorBytes } from "./rot.ts";
import type { SimFile } from "./sim-file.ts";

/**
 * What part of a log rots:
 * - `body`, `record`: a bit of a record's content, or of its header;
 * - `header`: a bit of a batch's header;
 * - `headers`: of several batches that follow each other, over a change of term if there is one;
 * - `sector`: a whole sector is something else;
 * - `idle`: what nobody needs: the page that opens a segment, or zeros behind the log's end;
 * - `slot`: one of the two slots of term and vote, while both hold the same;
 * - `tail`: the last batch, whether or not anything proves that it was synced: of a log that was closed in good order, whose
 *   mark is to prove it.
 */
export type HarmKind = "body" | "record" | "header" | "headers" | "sector" | "idle" | "slot" | "tail";
/** Those that may happen at any time. */
export const harmKinds: readonly HarmKind[] = [
  "body",
  "record",
  "header",
  "headers",
  "sector",
  "idle",
  "slot",
];

/** A change of bytes, and the records that cannot be read after it: none when first > last. */
export interface Harm {
  readonly file: SimFile;
  readonly where: string;
  readonly places: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  readonly first: number;
  readonly last: number;
}

/** Frames at the end of what is proven: most harm is done there, where logs differ and terms change. */
const tailFrames = 8;
const severalMax = 4;
/** What a slot's record takes at most in a small group. */
const usedBytes = 256;

/** Draws a harm of this kind that leaves evidence of what was lost. @returns undefined when there is nothing to harm so. */
export function drawHarm(map: LogMap, kind: HarmKind, value: number): Harm | undefined {
  const random = new RandomStream(value | 0, 0x51, 0x52, 0x53);
  if (kind === "slot") return slotHarm(map, random);
  if (kind === "idle") return idleHarm(map, random);
  if (kind === "tail") return tailHarm(map, random);
  const frames = map.frames.filter((frame) => frame.header.count > 0 && map.isProven(frame));
  const at = chooseFrame(frames, kind, random);
  const frame = frames[at];
  if (frame === undefined) return undefined;
  switch (kind) {
    case "body":
    case "record":
      return recordHarm(frame, kind, random);
    case "header":
      return headersHarm([frame], random);
    case "headers":
      return headersHarm(neighbours(frames, at, random), random);
    default:
      return sectorHarm(map, frame, random);
  }
}

function chooseFrame(frames: readonly FrameOnDisk[], kind: HarmKind, random: RandomStream): number {
  if (frames.length === 0) return -1;
  const where = random.draw(1) % 4;
  if (where === 0) return random.draw(2) % frames.length;
  if (kind === "headers" || where === 1) {
    const changes = frames.flatMap((frame, i) => {
      const next = frames[i + 1];
      return next !== undefined && next.header.previous.term > frame.header.previous.term ? [i] : [];
    });
    // The latest changes of term: there logs differ.
    const late = changes.slice(-3);
    if (late.length > 0)
      return Math.max(0, (late[random.draw(3) % late.length] as number) - (random.draw(4) % 2));
  }
  return frames.length - 1 - (random.draw(2) % Math.min(tailFrames, frames.length));
}

function neighbours(
  frames: readonly FrameOnDisk[],
  at: number,
  random: RandomStream,
): readonly FrameOnDisk[] {
  const first = frames[at] as FrameOnDisk;
  const several = frames.slice(at, at + 2 + (random.draw(5) % (severalMax - 1)));
  return several.filter((frame) => frame.segment === first.segment);
}

function flipped(file: SimFile, offset: number, bit: number): { offset: number; bytes: Uint8Array } {
  const [byte = 0] = file.read(offset, 1);
  return { offset, bytes: Uint8Array.of(byte ^ (1 << (bit % 8))) };
}

function recordHarm(frame: FrameOnDisk, kind: "body" | "record", random: RandomStream): Harm | undefined {
  const records = recordsOf(frame);
  const record = records[random.draw(6) % Math.max(1, records.length)];
  if (record === undefined) return undefined;
  const body = record.to - record.from - recordHeaderBytes;
  const inBody = kind === "body" && body > 0;
  const within = inBody ? recordHeaderBytes + (random.draw(7) % body) : random.draw(7) % recordHeaderBytes;
  const { header } = frame;
  return {
    file: frame.file,
    where: `${kind} of ${record.index}`,
    places: [flipped(frame.file, record.from + within, random.draw(8))],
    first: record.index,
    // Behind a header that cannot be read the batch's other records cannot be found.
    last: inBody ? record.index : header.previous.index + header.count,
  };
}

function tailHarm(map: LogMap, random: RandomStream): Harm | undefined {
  const frames = map.frames.filter(({ header }) => header.count > 0);
  const frame = frames[frames.length - 1];
  if (frame === undefined || !map.isSettled(frame)) return undefined;
  const what = random.draw(5) % 3;
  return what === 0
    ? headersHarm([frame], random)
    : recordHarm(frame, what === 1 ? "body" : "record", random);
}

function headersHarm(frames: readonly FrameOnDisk[], random: RandomStream): Harm | undefined {
  const first = frames[0];
  const last = frames[frames.length - 1];
  if (first === undefined || last === undefined) return undefined;
  const places = frames.map(({ file, offset }, i) => {
    const draw = random.draw(10 + i);
    return flipped(file, offset + (draw % batchHeaderBytes), draw >>> 8);
  });
  const from = first.header.previous.index + 1;
  const to = last.header.previous.index + last.header.count;
  return { file: first.file, where: `${frames.length} batch headers`, places, first: from, last: to };
}

function sectorHarm(map: LogMap, frame: FrameOnDisk, random: RandomStream): Harm | undefined {
  const end = frame.offset + batchBytes(frame.header);
  const count = Math.ceil((end - frame.offset) / sectorBytes);
  const sector = Math.floor(frame.offset / sectorBytes) + (random.draw(9) % count);
  const from = Math.max(segmentHeaderBytes, sector * sectorBytes);
  const bytes = new Uint8Array(sectorBytes);
  if (random.draw(20) % 2 === 0) {
    for (let i = 0; i < sectorBytes; i++) bytes[i] = random.draw(100 + i) & 0xff;
  }
  return pieceHarm(map, frame.segment, from, bytes, "sector");
}

/** Other bytes in place of a piece that is proven as a whole. */
export function pieceHarm(
  map: LogMap,
  segment: number,
  from: number,
  bytes: Uint8Array,
  what: string,
): Harm | undefined {
  const file = map.segments[segment];
  const frames = map.provenWithin(segment, from, from + bytes.length);
  if (file === undefined || frames === undefined || from + bytes.length > file.length) return undefined;
  let first = Number.MAX_SAFE_INTEGER;
  let last = -1;
  for (const { header } of frames) {
    if (header.count === 0) continue;
    first = Math.min(first, header.previous.index + 1);
    last = Math.max(last, header.previous.index + header.count);
  }
  return { file, where: what, places: [{ offset: from, bytes }], first, last };
}

/** The page that opens a segment whose first batch is proven, or a byte behind everything. */
function idleHarm(map: LogMap, random: RandomStream): Harm | undefined {
  const opened = map.frames.filter((frame) => frame.offset === segmentHeaderBytes && map.isProven(frame));
  const frame = opened[random.draw(1) % Math.max(1, opened.length)];
  if (frame !== undefined && random.draw(2) % 2 === 0) {
    return idle(frame.file, random.draw(3) % 256, "segment header", random);
  }
  const last = map.frames[map.frames.length - 1];
  if (last === undefined) return undefined;
  const end = last.offset + batchBytes(last.header);
  const room = last.file.length - end;
  const offset = end + (random.draw(3) % Math.max(1, room));
  if (room <= 0 || positionOf(last.segment, offset) <= map.cut.position) return undefined;
  return last.file.isClean(offset, offset + 1)
    ? idle(last.file, offset, "behind the log", random)
    : undefined;
}

function idle(file: SimFile, offset: number, where: string, random: RandomStream): Harm | undefined {
  if (!file.isClean(offset, offset + 1)) return undefined;
  return { file, where, places: [flipped(file, offset, random.draw(4))], first: 0, last: -1 };
}

function slotHarm(map: LogMap, random: RandomStream): Harm | undefined {
  const { meta, slots } = map;
  const [first, second] = slots;
  if (meta === undefined || first === undefined || first.sequence !== second?.sequence) return undefined;
  if (!meta.isClean(0, 2 * slotBytes)) return undefined;
  const slot = random.draw(1) % 2;
  const offset = slot * slotBytes + (random.draw(2) % (random.draw(4) % 2 === 0 ? slotBytes : usedBytes));
  return {
    file: meta,
    where: `slot ${slot}`,
    places: [flipped(meta, offset, random.draw(3))],
    first: 0,
    last: -1,
  };
}
