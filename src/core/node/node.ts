import type { GroupId, NodeId } from "../base/brand.ts";
import type { DiskLock } from "../io/disk.ts";
import type { Address, Connection, ConnectionEvents, Listener, Service } from "../io/network.ts";
import { ClientConnection } from "./client-service.ts";
import type { NodeConfig } from "./config.ts";
import { checkNodeConfig } from "./config.ts";
import { Group } from "./group.ts";
import { PeerLinks } from "./links.ts";
import type { NodePorts } from "./ports.ts";
import { ReadTurns } from "./read-pace.ts";

/**
 * A node: its groups, its connections to the other nodes, its clients. Both worlds run this class; the ports are the
 * only difference.
 */
export class Node {
  readonly config: NodeConfig;
  readonly groups: ReadonlyMap<GroupId, Group>;
  private readonly ports: NodePorts;
  private readonly links: PeerLinks;
  /** What all clients read in one turn, however they come. */
  readonly readTurns: ReadTurns;
  private readonly clients = new Set<ClientConnection>();
  /** Places of clients that come by another protocol. */
  private places = 0;
  private listener: Listener | undefined;
  private lock: DiskLock | undefined;
  /** Who waits for the end. */
  private readonly stops: (() => void)[] = [];
  private stopped = false;

  /** @throws LogError bad-configuration. */
  constructor(config: NodeConfig, ports: NodePorts) {
    checkNodeConfig(config);
    this.config = config;
    this.ports = ports;
    this.readTurns = new ReadTurns(ports.clock);
    const groups = new Map<GroupId, Group>();
    const addresses = new Map<NodeId, Address>();
    for (const group of config.groups) {
      groups.set(group.group, new Group(config, group, ports, () => this.links));
      for (const peer of group.peers) if (peer.node !== config.self) addresses.set(peer.node, peer.address);
    }
    this.groups = groups;
    this.links = new PeerLinks(ports, config.limits, groups, addresses);
  }

  /** Locks the directory, recovers every group, then listens and dials. Told once; on an error nothing is left open. */
  start(done: (error: Error | undefined) => void): void {
    this.ports.disk.lock(".", (error, lock) => {
      if (error !== undefined) return done(error);
      this.lock = lock;
      this.startGroups([...this.groups.values()], (failed) => {
        if (failed !== undefined) return this.stop(() => done(failed));
        this.listen(done);
      });
    });
  }

  private startGroups(left: readonly Group[], done: (error: Error | undefined) => void): void {
    const [first, ...rest] = left;
    if (first === undefined) return done(undefined);
    first.start((error) => (error === undefined ? this.startGroups(rest, done) : done(error)));
  }

  private listen(done: (error: Error | undefined) => void): void {
    const accept = (connection: Connection, service: Service): ConnectionEvents =>
      this.accept(connection, service);
    this.listener = this.ports.network.listen(this.config.listen, accept, (error) => {
      if (error !== undefined) return this.stop(() => done(error));
      this.links.start();
      done(undefined);
    });
  }

  /** Connections of clients that are open. */
  get clientConnections(): number {
    return this.clients.size + this.places;
  }

  /**
   * A place among the connections of clients, for one that comes by another protocol than frames.
   * @returns gives it back; undefined when all are taken.
   */
  takePlace(): (() => void) | undefined {
    if (this.clientConnections >= this.config.limits.connectionsMax) return undefined;
    this.places += 1;
    let taken = true;
    return () => {
      if (taken) this.places -= 1;
      taken = false;
    };
  }

  private accept(connection: Connection, service: Service): ConnectionEvents {
    if (service !== "client") return this.links.accept(connection, service);
    const { config, ports, groups, readTurns } = this;
    const client = new ClientConnection(connection, config, ports, groups, readTurns, () =>
      this.clients.delete(client),
    );
    // Beyond the limit the oldest silent ones are not searched for: the newcomer is closed, and its port tells it why.
    if (this.clientConnections >= this.config.limits.connectionsMax) client.abort();
    else this.clients.add(client);
    return client;
  }

  /** Whether the node takes no entries of clients, in any of its groups, until its process ends. */
  setReadOnly(readOnly: boolean): void {
    for (const group of this.groups.values()) group.setReadOnly(readOnly, () => undefined);
  }

  /** Hands leadership over, answers what can be answered, closes the logs, then the connections. Whoever asks again waits too. */
  stop(done: () => void): void {
    if (this.stopped) return done();
    this.stops.push(done);
    if (this.stops.length === 1) this.beginStop();
  }

  private beginStop(): void {
    const ended = (): void => {
      this.stopped = true;
      for (const told of this.stops.splice(0)) told();
    };
    const groups = [...this.groups.values()];
    const next = (): void => {
      const group = groups.shift();
      if (group !== undefined) return group.stop(next);
      this.listener?.close();
      this.listener = undefined;
      this.links.stop();
      for (const client of [...this.clients]) client.end();
      const lock = this.lock;
      this.lock = undefined;
      if (lock === undefined) ended();
      else lock.release(ended);
    };
    next();
  }
}
