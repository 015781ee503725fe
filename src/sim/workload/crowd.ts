import { LogError } from "../../core/base/errors.ts";
import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { Client } from "../../core/client/client.ts";
import { encodePayload, payloadKeyOf } from "../history/payload.ts";
import type { Recorder } from "../history/recorder.ts";
import type { ClientHost } from "../scenario.ts";

/** With those who are there already, more than the sessions that any node keeps: see `simulatedLimits` and `process.sessionsSpread`. */
const strangersCount = 12;
const appendsEach = 3;
const bodyBytes = 24;
const timeout: Micros = 2 * second;

interface Stranger {
  readonly host: ClientHost;
  payloads: number;
}

/** Clients that come all at once, each with a session of its own for a few appends, and go. */
export class Strangers {
  private readonly recorder: Recorder;
  private readonly host: () => ClientHost;
  private readonly connect: (host: ClientHost) => Client;
  private readonly now: () => Micros;
  private readonly strangers: Stranger[] = [];
  /** Calls under way. */
  inFlight = 0;

  constructor(
    recorder: Recorder,
    world: { host(): ClientHost; connect(host: ClientHost): Client; now(): Micros },
  ) {
    this.recorder = recorder;
    this.host = () => world.host();
    this.connect = (host) => world.connect(host);
    this.now = () => world.now();
  }

  /** Those of the last time are the first to come again, once they have gone. */
  come(): void {
    if (this.inFlight > 0) return;
    while (this.strangers.length < strangersCount) this.strangers.push({ host: this.host(), payloads: 0 });
    for (const stranger of this.strangers) this.visit(stranger);
  }

  private visit(stranger: Stranger): void {
    const { host } = stranger;
    const client = this.connect(host);
    let left = appendsEach;
    for (let i = 0; i < appendsEach; i++) {
      const key = payloadKeyOf(host.client, stranger.payloads);
      stranger.payloads += 1;
      const operation = this.recorder.append(host.client, this.now(), [key]);
      this.inFlight += 1;
      client.append([encodePayload(key, bodyBytes)], { timeout }, (error, value) => {
        this.inFlight -= 1;
        left -= 1;
        if (error === undefined) this.recorder.appended(operation, this.now(), value.indexes);
        else if (error instanceof LogError) this.recorder.refused(operation, this.now(), error);
        else throw error;
        if (left === 0) client.close(() => {});
      });
    }
  }
}
