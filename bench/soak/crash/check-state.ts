import type { Entry } from "#core/base/entry";
import type { StoreOptions } from "#core/storage/log-store";
import { makeEntries, recordOf, TestLog } from "../../storage/log-script.ts";
import type { MemoryDisk } from "../../storage/memory-disk.ts";
import type { Promised, ScriptedLog } from "./scripted-log.ts";
import { metaOf } from "./scripted-log.ts";

function fail(sentence: string): never {
  throw new Error(sentence);
}

/**
 * Opens the disk of a crash with the store and holds what comes back against what was promised; then appends and saves
 * once more, and opens what is durable of that.
 * @throws Error that says what does not hold; whatever the store itself throws goes on up.
 */
export function checkState(
  disk: MemoryDisk,
  options: StoreOptions,
  promised: Promised,
  script: ScriptedLog,
): void {
  const log = new TestLog(disk, options);
  const entries = checkRecovered(log, promised, script);
  const { end, meta } = log.recovered;
  const more = makeEntries(end, end.term + 1, [60, 0], 77);
  log.store.append(more);
  const saved = metaOf(meta.term + 1, 0);
  log.store.saveMeta(saved);
  log.disk.run();
  if (log.failures.length > 0) fail(`appending does not go on: ${log.failures.join()}`);
  const last = more[more.length - 1]?.index;
  if (log.synced[log.synced.length - 1] !== last || log.saved !== 1) fail("what is appended is not reported");
  const again = new TestLog(
    log.disk.crashed(() => 0),
    options,
  );
  if (again.recovered.damage.length > 0) fail("the log is damaged after it went on");
  if (!sameEntries(again.readAll(), [...entries, ...more])) fail("what was appended after the crash is lost");
  if (again.recovered.meta.term !== saved.term) fail("term and vote of after the crash are lost");
}

/** @returns the entries that are there. */
export function checkRecovered(log: TestLog, promised: Promised, script: ScriptedLog): Entry[] {
  const { recovered } = log;
  if (recovered.damage.length > 0) fail(`a crash is called damage: ${JSON.stringify(recovered.damage)}`);
  const entries = log.readAll();
  if (entries.length - 1 !== recovered.end.index) fail("the log cannot be read to its end");
  if (!startsWith(entries, promised.acked))
    fail(`of ${promised.acked.length} acknowledged entries not all are there: the log has ${entries.length}`);
  if (!promised.versions.some((version) => startsWith(version, entries)))
    fail("the log is no prefix of what was appended");
  const { term } = recovered.meta;
  if (term < promised.savedMin || term > promised.savedMax)
    fail(`term ${term}, where ${promised.savedMin} to ${promised.savedMax} were saved`);
  if (JSON.stringify(recovered.meta) !== JSON.stringify(script.meta(term)))
    fail(`term ${term} has another vote or other peers`);
  const stage = recovered.identity?.stage;
  if (stage === undefined || !promised.stages.includes(stage)) fail(`stage ${stage} was not saved`);
  return entries;
}

function sameEntries(a: readonly Entry[], b: readonly Entry[]): boolean {
  return a.length === b.length && startsWith(a, b);
}

function startsWith(all: readonly Entry[], first: readonly Entry[]): boolean {
  return (
    first.length <= all.length &&
    first.every((entry, at) => {
      const other = all[at] as Entry;
      // The chain's checksum binds all that is before; the bytes bind the record.
      return entry.chainCrc === other.chainCrc && recordOf(entry) === recordOf(other);
    })
  );
}
