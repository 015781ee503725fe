import { LogError } from "../base/errors.ts";
import type { Task } from "../base/task.ts";
import { segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import { noCut } from "./meta.ts";
import type { Scan } from "./recovery.ts";
import { Scanner } from "./scanner.ts";
import type { Segment } from "./segment.ts";

/**
 * Finds files that something outside has cut short, which a crash never does: a segment has its length before it has its
 * name, and before a header tells it. Where it only lost zeros it gets them back.
 *
 * Before the last segment, records that went are damage, as the headers behind them tell. Behind the end of the last one
 * nothing tells whether there were any: unless zeros follow the log's end, an acknowledged record may be gone.
 * @throws LogError damaged.
 */
export function* restoreLengths(files: LogFiles, scan: Scan): Task<void> {
  const scanner = new Scanner(files, noCut, segmentHeaderBytes, files.lastNumber);
  const last = scan.place.segment;
  for (const segment of [...files.segments.values()]) {
    const header = yield* scanner.segmentHeader(segment.number);
    const { number, size } = segment;
    // One whose page is whole but no header was never begun.
    if (size >= segmentHeaderBytes && size >= (header?.fileBytes ?? 0)) continue;
    const lost = number === last ? size <= scan.used : number > last && header === undefined;
    if (lost) {
      const path = files.path(number);
      const message = `${path} has been cut short to ${size} bytes, and nothing tells what was behind them`;
      throw new LogError("damaged", message, { retry: "never" });
    }
    if (number <= last && header !== undefined) yield* lengthen(files, segment, header.fileBytes);
  }
}

function* lengthen(files: LogFiles, segment: Segment, bytes: number): Task<void> {
  yield* files.zeroSynced(segment.file, segment.size, bytes);
  segment.size = bytes;
}
