const lineEveryMs = 250;
const breatheEveryMs = 40;

/** Where progress is shown: stderr, when it is a terminal. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Thrown out of a soak's loop when the user asked to stop. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** How far a soak is, with its rate and the time that is left, on one line that is written over. */
export class Progress {
  stopped = false;
  private readonly output: ProgressOutput;
  private what = "the start";
  private total = 0;
  private done = 0;
  private started = performance.now();
  private lineAt = 0;
  private breathAt: number = performance.now();
  private shown = false;

  constructor(output: ProgressOutput) {
    this.output = output;
  }

  /** A part of the soak begins. `total` may be an estimate; it grows when it is passed. */
  begin(what: string, total: number): void {
    this.what = what;
    this.total = total;
    this.done = 0;
    this.started = performance.now();
    this.lineAt = 0;
  }

  /** @returns whether it is time to `breathe`. */
  step(done: number): boolean {
    this.done = done;
    return performance.now() - this.breathAt >= breatheEveryMs;
  }

  /** Lets signals and timers in. @throws Stopped when the user asked to stop. */
  async breathe(): Promise<void> {
    this.show();
    await new Promise((resolve) => setImmediate(resolve));
    this.breathAt = performance.now();
    if (this.stopped) throw new Stopped(this.text());
  }

  /** Takes the line away. */
  clear(): void {
    if (this.shown) this.output.write("\r\u001b[2K");
    this.shown = false;
  }

  /** E.g. `entry record: 41,000 of 1,000,000 (4 %), 350,000/s, 3 s left`. */
  text(): string {
    const { what, done } = this;
    const total = Math.max(this.total, done, 1);
    const seconds = (performance.now() - this.started) / 1_000;
    const rate = done / Math.max(seconds, 0.001);
    const left = rate > 0 ? `, ${timeText((total - done) / rate)} left` : "";
    const percent = Math.floor((done * 100) / total);
    return `${what}: ${count(done)} of ${count(total)} (${percent} %), ${count(Math.round(rate))}/s${left}`;
  }

  private show(): void {
    const now = performance.now();
    if (this.output.isTTY !== true || now - this.lineAt < lineEveryMs) return;
    this.lineAt = now;
    this.shown = true;
    this.output.write(`\r\u001b[2K${this.text()}`);
  }
}

export function count(value: number): string {
  return value.toLocaleString("en");
}

function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 100) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
