/** Whether the user asked to stop: Ctrl-C or SIGTERM. */
export class Interrupt {
  requested = false;
  exitCode = 0;
  private readonly listeners: (() => void)[] = [];
  private readonly interrupted = (): void => this.request(130);
  private readonly terminated = (): void => this.request(143);

  constructor() {
    process.on("SIGINT", this.interrupted);
    process.on("SIGTERM", this.terminated);
  }

  onRequest(listener: () => void): void {
    this.listeners.push(listener);
  }

  release(): void {
    process.removeListener("SIGINT", this.interrupted);
    process.removeListener("SIGTERM", this.terminated);
  }

  private request(exitCode: number): void {
    // A second one does not wait for anything.
    if (this.requested) process.exit(this.exitCode);
    this.requested = true;
    this.exitCode = exitCode;
    for (const listener of this.listeners) listener();
  }
}
