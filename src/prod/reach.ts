import { LogError } from "../core/base/errors.ts";
import type { Micros } from "../core/base/units.ts";
import type { ClientPeer } from "../core/client/client-config.ts";
import type { Clock } from "../core/io/clock.ts";
import type { Address, Connection, ConnectionEvents, Network } from "../core/io/network.ts";

interface Seen {
  /** When the node last said something; -1 for never. */
  heardAt: Micros;
  /** Its last connection ended, and nothing was heard of it since. */
  gone: boolean;
}

/**
 * Which nodes answer a client, seen at its network. A call that runs out of time knows only what failed last, and one
 * dead node of three may be that; whether anybody can be reached, or a majority, shows from all of them together.
 */
export class Reach {
  private readonly peers: readonly ClientPeer[];
  private readonly clock: Pick<Clock, "monotonic">;
  private readonly seen = new Map<Address, Seen>();

  constructor(peers: readonly ClientPeer[], clock: Pick<Clock, "monotonic">) {
    this.peers = peers;
    this.clock = clock;
  }

  /** The same network, watched. */
  watch(network: Network): Network {
    return {
      listen: (address, accept, done) => network.listen(address, accept, done),
      connect: (address, service, events) =>
        this.watched(this.of(address), (watching) => network.connect(address, service, watching), events),
    };
  }

  private watched(
    seen: Seen,
    connect: (events: ConnectionEvents) => Connection,
    events: ConnectionEvents,
  ): Connection {
    const connection = connect({
      opened: () => events.opened(),
      drained: () => events.drained(),
      frame: (bytes) => {
        seen.heardAt = this.clock.monotonic();
        seen.gone = false;
        events.frame(bytes);
      },
      closed: (reason) => {
        seen.gone = true;
        events.closed(reason);
      },
    });
    return {
      send: (frame, rest) => connection.send(frame, rest),
      queuedBytes: () => connection.queuedBytes(),
      close: () => {
        // The client gives up a node that stays silent.
        seen.gone = true;
        connection.close();
      },
    };
  }

  private of(address: Address): Seen {
    const seen = this.seen.get(address) ?? { heardAt: -1, gone: false };
    this.seen.set(address, seen);
    return seen;
  }

  /** Whether any node ever said anything: no request leaves before one has. */
  get anyHeard(): boolean {
    return [...this.seen.values()].some(({ heardAt }) => heardAt >= 0);
  }

  /**
   * A call's `timeout` with the cause that all nodes together show: `no-quorum` where a majority does not answer,
   * `unavailable` only where nobody does. Other errors are given back as they are.
   * @param since when the call began.
   * @param node the one that was asked, where no other could have answered.
   */
  explain(error: LogError, since: Micros, node?: string): LogError {
    if (error.code !== "timeout") return error;
    const asked = this.peers.find((peer) => peer.node === node);
    if (asked !== undefined && this.of(asked.address).heardAt < since && this.of(asked.address).gone)
      return error;
    const names = (test: (seen: Seen) => boolean): string[] =>
      this.peers.filter(({ address }) => test(this.of(address))).map(({ node }) => node);
    const answered = names(({ heardAt }) => heardAt >= since);
    const silent = names(({ heardAt, gone }) => gone && heardAt < since);
    const { length } = this.peers;
    if (answered.length > 0 && (length - silent.length) * 2 <= length) {
      const who = `${answered.join(", ")} answered, ${silent.join(", ")} did not`;
      const text = `no answer in time: a majority of the ${length} nodes does not answer (${who})`;
      return new LogError("timeout", text, { cause: new LogError("no-quorum", who) });
    }
    const { cause } = error;
    const blames = cause instanceof LogError && cause.code === "unavailable";
    return blames && silent.length < length ? new LogError("timeout", error.message) : error;
  }
}
