import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import * as path from "node:path";
import type { TrialOutcome, TrialRun } from "../sim/mutant/trial.ts";

/** A run that takes longer has hung: an ordinary one takes about half a second. */
const runMsMax = 60_000;
/** A mutant that eats more memory than this dies of it, and not the machine. */
const heapMebibytesMax = 1_024;

/** A process that runs seeds of the program in one scratch copy, one after the other. Starts again after it had to be stopped. */
export class Runner {
  private readonly root: string;
  private child: ChildProcess | undefined;

  constructor(root: string) {
    this.root = root;
  }

  run(run: TrialRun): Promise<TrialOutcome> {
    const child = this.ready();
    return new Promise((resolve) => {
      const settle = (outcome: TrialOutcome): void => {
        clearTimeout(timer);
        child.removeAllListeners("message");
        child.removeAllListeners("exit");
        if (outcome.kind === "hung" || outcome.kind === "died") this.stop();
        resolve(outcome);
      };
      const timer = setTimeout(() => settle({ kind: "hung", checker: "", verdict: "hung" }), runMsMax);
      child.once("message", (outcome) => settle(outcome as TrialOutcome));
      child.once("exit", () => settle({ kind: "died", checker: "", verdict: "died" }));
      child.send(run);
    });
  }

  stop(): void {
    this.child?.kill("SIGKILL");
    this.child = undefined;
  }

  private ready(): ChildProcess {
    const { child: last } = this;
    if (last !== undefined && last.exitCode === null && last.signalCode === null) return last;
    const child = fork(path.join(this.root, "dist/cli/mutants-child.js"), [], {
      cwd: this.root,
      // None of the parent's loaders: the copy runs what was compiled.
      execArgv: [`--max-old-space-size=${heapMebibytesMax}`],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    child.on("error", () => {}); // A send to a process that just died: its exit is what counts.
    this.child = child;
    return child;
  }
}
