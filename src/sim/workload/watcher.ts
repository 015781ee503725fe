import type { Micros } from "../../core/base/units.ts";
import type { Client } from "../../core/client/client.ts";
import type { Recorder } from "../history/recorder.ts";
import type { ClientHost } from "../scenario.ts";

/**
 * Follows a group's log from the first index as long as the run lasts, and asks for nothing else: whatever becomes of the
 * node that it sits at, nothing but the tail itself can take it elsewhere.
 */
export class Watcher {
  private readonly host: ClientHost;
  private readonly client: Client;
  private readonly recorder: Recorder;
  private readonly now: () => Micros;

  constructor(host: ClientHost, client: Client, recorder: Recorder, now: () => Micros) {
    this.host = host;
    this.client = client;
    this.recorder = recorder;
    this.now = now;
  }

  start(): void {
    const { client } = this.host;
    const tail = this.recorder.newWatch(client);
    const target = this.host.random.draw("watcher", 0) % 2 === 0 ? "any" : "follower";
    let from = 0;
    this.client.tail(
      from,
      { target },
      {
        entries: (entries, next) => {
          this.recorder.tailed({ client, tail, now: this.now() }, { from, next }, entries);
          from = next;
        },
        // It does not come to the end then, which is told there.
        failed: () => undefined,
      },
    );
  }
}
