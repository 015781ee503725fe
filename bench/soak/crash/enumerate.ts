import { createHash } from "node:crypto";
import { openStore } from "#core/storage/log-store";
import { identity } from "../../storage/log-script.ts";
import type { MemoryDisk } from "../../storage/memory-disk.ts";
import { checkState } from "./check-state.ts";
import type { Choices } from "./choices.ts";
import { Chance, exploreChoices } from "./choices.ts";
import type { Promised } from "./scripted-log.ts";
import { ScriptedLog } from "./scripted-log.ts";
import type { CrashScript } from "./scripts.ts";

/** How thoroughly. */
export interface CrashSettings {
  readonly seed: number;
  /** Orders by chance in which calls are made and carried out, beside three fixed ones; at 0 the oldest goes first, and that is all. */
  readonly orders: number;
  /** States of one crash, all of which are tried; of more, twice as many are. */
  readonly subsetsMax: number;
  /** States of one crash while a crash is being recovered from. */
  readonly recoverySubsetsMax: number;
  /** Recovery is crashed too, of each page cache that a killed process left and of every so many of the states; 0 for none. */
  readonly recoveryEvery: number;
}

/** A state that does not hold. */
export interface CrashFailure {
  readonly script: string;
  readonly order: string;
  /** Disk calls that were carried out before the crash. */
  readonly calls: number;
  /** Disk calls of the recovery that was crashed too. */
  readonly recoveryCalls: number | undefined;
  readonly choices: Choices;
  readonly what: string;
}

/** What the states of some scripts came to. */
export class CrashTally {
  /** Distinct disks. */
  readonly disks: Set<string> = new Set<string>();
  /** Distinct disks with what they must give back, each opened once. */
  opened = 0;
  /** States that were met, many of them alike. */
  met = 0;
  /** Crashes of which every state was tried, and those of which only some were. */
  whole = 0;
  sampled = 0;
  readonly failures: CrashFailure[] = [];
}

interface Order {
  readonly name: string;
  /** @returns the place of the call to carry out, or -1 for the next step of the script. */
  next(waiting: number, stepsLeft: number): number;
}

function ordersOf({ seed, orders }: CrashSettings): Order[] {
  const firstSteps = (pick: (waiting: number) => number): Order["next"] => {
    return (waiting, stepsLeft) => (stepsLeft > 0 ? -1 : pick(waiting));
  };
  const all: Order[] = [{ name: "oldest first", next: firstSteps(() => 0) }];
  if (orders > 0) {
    all.push({ name: "newest first", next: firstSteps((waiting) => waiting - 1) });
    all.push({ name: "step by step", next: (waiting, left) => (waiting === 0 && left > 0 ? -1 : 0) });
  }
  for (let n = 0; n < orders; n++) {
    const chance = new Chance(seed + n);
    const next = (waiting: number, stepsLeft: number): number => {
      const step = stepsLeft > 0 && (waiting === 0 || chance.below(4) === 0);
      return step ? -1 : chance.below(waiting);
    };
    all.push({ name: `by chance, seed ${seed + n}`, next });
  }
  return all;
}

/** Crashes one script at every call, in every order. Yields between crashes, so that the caller may see to other things. */
export function* crashScript(
  script: CrashScript,
  settings: CrashSettings,
  tally: CrashTally,
): Generator<void> {
  const seen = new Set<string>();
  for (const order of ordersOf(settings)) {
    const log = new ScriptedLog(script.options, script.disk?.());
    for (const step of script.before) {
      log.apply(step);
      log.settle();
    }
    let next = 0;
    let before = "";
    for (let calls = 0; ; ) {
      const crash = new Crash({ script, order: order.name, calls, log, settings, tally, seen });
      const now = `${changes(log.disk)} ${crash.promise}`;
      if (now !== before) yield* crash.run();
      before = now;
      const { waiting } = log.disk;
      if (waiting === 0 && next === script.steps.length) break;
      const place = order.next(waiting, script.steps.length - next);
      const step = script.steps[next];
      if (place < 0 && step !== undefined) {
        log.apply(step);
        next += 1;
      } else {
        log.carryOut(place);
        calls += 1;
      }
    }
  }
}

interface CrashPoint {
  readonly script: CrashScript;
  readonly order: string;
  readonly calls: number;
  readonly log: ScriptedLog;
  readonly settings: CrashSettings;
  readonly tally: CrashTally;
  /** Disks with promises that were opened already. */
  readonly seen: Set<string>;
}

/** One moment at which the power fails, or the process is killed. */
class Crash {
  private readonly at: CrashPoint;
  private readonly promised: Promised;
  /** The promise in short: two that read the same ask the same. */
  readonly promise: string;
  private readonly chance: Chance;

  constructor(at: CrashPoint) {
    this.at = at;
    this.promised = at.log.promised;
    const { acked, versions, savedMin, savedMax, stages } = this.promised;
    const ends = versions.map((version) => version[version.length - 1]?.chainCrc ?? 0);
    const last = acked[acked.length - 1]?.chainCrc ?? 0;
    this.promise = [acked.length, last, ends, savedMin, savedMax, stages].join(";");
    this.chance = new Chance(at.settings.seed + at.calls);
  }

  *run(): Generator<void> {
    const { log, settings } = this.at;
    const fresh: MemoryDisk[] = [];
    this.explore(log.disk, settings.subsetsMax, undefined, fresh);
    yield;
    // A killed process leaves the page cache; the power may fail while the next one recovers.
    if (settings.recoveryEvery === 0) return;
    const killed = log.disk.killed();
    if (this.isNew("killed", killed)) yield* this.recover(killed);
    for (let at = 0; at < fresh.length; at += settings.recoveryEvery) {
      const disk = fresh[at];
      if (disk !== undefined) yield* this.recover(disk);
    }
  }

  /** Crashes the recovery of a disk at every call. */
  private *recover(disk: MemoryDisk): Generator<void> {
    const { script, settings } = this.at;
    const nothing = (): void => undefined;
    const copy = disk.killed();
    const events = { synced: nothing, saved: nothing, failed: nothing };
    openStore(copy, script.options, () => identity, events, nothing);
    let before = changes(copy);
    for (let calls = 1; copy.step(); calls++) {
      const now = changes(copy);
      if (now === before) continue;
      before = now;
      this.explore(copy, settings.recoverySubsetsMax, calls, undefined);
      yield;
    }
  }

  private explore(
    disk: MemoryDisk,
    subsetsMax: number,
    recoveryCalls: number | undefined,
    fresh: MemoryDisk[] | undefined,
  ): void {
    const { tally } = this.at;
    const whole = exploreChoices(
      (choose, made) => {
        const after = disk.crashed(choose);
        tally.met += 1;
        if (!this.isNew("crashed", after)) return;
        fresh?.push(after);
        this.open(after, made, recoveryCalls);
      },
      subsetsMax,
      this.chance,
    );
    if (whole) tally.whole += 1;
    else tally.sampled += 1;
  }

  private isNew(how: "crashed" | "killed", disk: MemoryDisk): boolean {
    const { tally, seen } = this.at;
    const digest = digestOf(disk);
    tally.disks.add(digest);
    const key = `${how} ${digest} ${this.promise}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  }

  private open(disk: MemoryDisk, choices: Choices, recoveryCalls: number | undefined): void {
    const { script, order, calls, log, tally } = this.at;
    tally.opened += 1;
    try {
      checkState(disk.killed(), script.options, this.promised, log);
    } catch (error) {
      const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      tally.failures.push({
        script: script.name,
        order,
        calls,
        recoveryCalls,
        choices: choices.slice(),
        what,
      });
    }
  }
}

/** How many calls may have changed what is on the disk. */
function changes(disk: MemoryDisk): number {
  return disk.done.reduce((sum, { kind }) => sum + (kind === "read" || kind === "other" ? 0 : 1), 0);
}

function digestOf(disk: MemoryDisk): string {
  const hash = createHash("sha1");
  for (const name of disk.files()) {
    const content = disk.content(name);
    hash.update(`${name} ${content.length}\n`).update(content);
  }
  return hash.digest("base64");
}
