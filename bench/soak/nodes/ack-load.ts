import { LogClient } from "#prod/log-client";
import { Abandoned } from "../../support/processes.ts";

export interface Acknowledged {
  /** Milliseconds since the Unix epoch, as in the nodes' logs. */
  readonly at: number;
  readonly term: number;
}

/** Wall time in milliseconds, with a fraction. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Keeps a number of appends of one client under way, and remembers what came of them. */
export class AckLoad {
  readonly client: LogClient;
  private readonly payload: Uint8Array;
  private readonly workers: Promise<unknown>;
  private running = true;
  private waiting: ((acknowledged: Acknowledged) => void) | undefined;
  private refused: ((error: Error) => void) | undefined;
  private above = Number.POSITIVE_INFINITY;
  acknowledged: number = 0;
  /** Appends that ended as a fault, by code. */
  readonly faults: Map<string, number> = new Map<string, number>();
  /** The longest time between two acknowledgements since `resetGap`. */
  gapMaxMs: number = 0;
  private lastAt = 0;

  constructor(peers: string, inFlight: number, bytes: number) {
    this.client = new LogClient({ peers, name: "soak", timeoutMs: 20_000 });
    this.payload = new Uint8Array(bytes).fill(66);
    this.workers = Promise.all(Array.from({ length: inFlight }, () => this.work()));
  }

  private async work(): Promise<void> {
    while (this.running) {
      try {
        const { term } = await this.client.append(this.payload);
        this.took(term);
      } catch (error) {
        const code = (error as { code?: string }).code ?? (error as Error).name;
        this.faults.set(code, (this.faults.get(code) ?? 0) + 1);
        await pause(10);
      }
    }
  }

  private took(term: number): void {
    const at = wallMs();
    this.acknowledged += 1;
    if (this.lastAt > 0) this.gapMaxMs = Math.max(this.gapMaxMs, at - this.lastAt);
    this.lastAt = at;
    if (term <= this.above) return;
    this.above = Number.POSITIVE_INFINITY;
    this.waiting?.({ at, term });
  }

  resetGap(): void {
    this.gapMaxMs = 0;
    this.lastAt = wallMs();
  }

  /** The first acknowledgement of a term above this one: of a new leader, not of the old one's last words. */
  next(term: number, msMax: number): Promise<Acknowledged> {
    if (!this.running) return Promise.reject(new Abandoned("the appends were ended"));
    return new Promise((resolve, reject) => {
      const settled = (): void => {
        clearTimeout(late);
        this.waiting = undefined;
        this.refused = undefined;
      };
      const late = setTimeout(
        () => this.refused?.(new Error(`no append was acknowledged for ${msMax} ms`)),
        msMax,
      );
      this.above = term;
      this.refused = (error) => {
        settled();
        reject(error);
      };
      this.waiting = (acknowledged) => {
        settled();
        resolve(acknowledged);
      };
    });
  }

  /** Ends the appends and whoever waits for one with `next`. */
  async stop(): Promise<void> {
    this.running = false;
    this.refused?.(new Abandoned("the appends were ended"));
    await Promise.race([this.workers, pause(1_000)]);
    await this.client.close();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
