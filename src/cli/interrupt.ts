import { onStopSignal, stopExitCodes } from "../prod/stop-signals.ts";

/** Whether the user asked to stop: Ctrl-C or SIGTERM. */
export class Interrupt {
  requested = false;
  exitCode = 0;
  private readonly listeners: (() => void)[] = [];
  /** Takes no further signals. */
  readonly release: () => void;

  constructor() {
    this.release = onStopSignal((signal, again) => {
      // A second one does not wait for anything.
      if (again) process.exit(this.exitCode);
      this.requested = true;
      this.exitCode = stopExitCodes[signal];
      for (const listener of this.listeners) listener();
    });
  }

  onRequest(listener: () => void): void {
    this.listeners.push(listener);
  }
}
