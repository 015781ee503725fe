import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Letter, Row, Turns } from "./measurement.ts";

export type Question = { readonly ask: "round" } | { readonly ask: "rows"; readonly bare?: number };
export type Answer = { readonly rows: readonly Row[] } | { readonly error: string };

/**
 * A measurement in a process of its own, so that code compiled for one is not slowed by what another one ran. It works only
 * while it is asked to: one processor is in use at a time.
 */
export class Remote implements Turns {
  readonly letter: Letter;
  private readonly child: ChildProcess;
  private readonly ended: Promise<Answer[]>;

  constructor(letter: Letter, args: readonly string[]) {
    this.letter = letter;
    const worker = fileURLToPath(new URL("worker.js", import.meta.url));
    this.child = fork(worker, [letter, ...args], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.ended = once(this.child, "exit").then(() => [{ error: "its process ended" }]);
    process.once("exit", () => this.stop());
  }

  async round(): Promise<void> {
    await this.ask({ ask: "round" });
  }

  rows(bare: number | undefined): Promise<readonly Row[]> {
    return this.ask(bare === undefined ? { ask: "rows" } : { ask: "rows", bare });
  }

  stop(): void {
    this.child.kill("SIGKILL");
  }

  private async ask(question: Question): Promise<readonly Row[]> {
    this.child.send(question);
    const [answer] = (await Promise.race([once(this.child, "message"), this.ended])) as [Answer];
    if ("error" in answer) throw new Error(`(${this.letter}): ${answer.error}`);
    return answer.rows;
  }
}
