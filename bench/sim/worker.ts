import type { Letter } from "./measurement.ts";
import { countProcessorTime } from "./measurement.ts";
import { parseOptions } from "./options.ts";
import type { Answer, Question } from "./remote.ts";
import { measurementOf } from "./work.ts";

/** Started by `Remote` with a letter and the benchmark's own arguments. */
const [letter, ...args] = process.argv.slice(2);
const options = parseOptions(args);
if (options.cpu) countProcessorTime();
const measurement = measurementOf(letter as Letter, options);

function answer(question: Question): Answer {
  try {
    if (question.ask === "rows") return { rows: measurement.rows(question.bare) };
    measurement.round();
    return { rows: [] };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

process.on("message", (question) => process.send?.(answer(question as Question)));
process.on("disconnect", () => process.exit());
