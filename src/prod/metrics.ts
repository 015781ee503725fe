import { Counter, Gauge, Registry } from "prom-client";
import type { Trace, TraceEvent } from "../core/io/trace.ts";
import { DurationHistogram, LabelledCounts } from "./counters.ts";
import type { DiskMeter } from "./disk-file.ts";
import { countRare, GroupCounts } from "./group-counts.ts";
import { LoopDelay } from "./loop-delay.ts";

/** What a group tells when it is asked, for gauges. Indexes are -1 while there is nothing. */
export interface GroupGauges {
  readonly group: string;
  readonly role: string;
  readonly standing: string;
  readonly term: number;
  readonly leader: string;
  readonly commitIndex: number;
  readonly lastIndex: number;
  readonly appliedIndex: number;
  readonly pendingAppends: number;
  readonly pendingReads: number;
  readonly waitingTails: number;
  readonly uncommittedBytes: number;
  readonly sessions: number;
}

/** Plain counters of the files. */
class DiskCounts implements DiskMeter {
  readonly syncSeconds: DurationHistogram = new DurationHistogram();
  bytesWritten = 0;
  bytesRead = 0;

  synced(seconds: number): void {
    this.syncSeconds.observe(seconds);
  }

  wrote(bytes: number): void {
    this.bytesWritten += bytes;
  }

  read(bytes: number): void {
    this.bytesRead += bytes;
  }
}

type Labels = { readonly [label: string]: string };
type Collect = (add: (value: number, labels?: Labels) => void) => void;

/**
 * The node's metrics: counters are plain fields raised by the trace, gauges are read when somebody asks, and the
 * library only renders them. `docs/METRICS.md` says what each means.
 */
export class Metrics implements Trace {
  readonly detailed = true;
  readonly registry: Registry = new Registry();
  readonly disk: DiskCounts = new DiskCounts();
  /** Connections that the port turned away at their first bytes, by reason. */
  readonly turnedAway: LabelledCounts = new LabelledCounts();
  private readonly groups = new Map<string, GroupCounts>();
  private readonly gauges: () => readonly GroupGauges[];
  private readonly loop = new LoopDelay();

  /** @param connections of clients that are open. */
  constructor(version: string, gauges: () => readonly GroupGauges[], connections: () => number) {
    this.gauges = gauges;
    this.defineGroupGauges();
    this.gauge("quorumlog_client_connections", "Open connections of clients", [], (add) =>
      add(connections()),
    );
    this.defineCounters();
    this.defineFiles();
    this.defineProcess(version);
  }

  close(): void {
    this.loop.close();
  }

  emit(event: TraceEvent): void {
    if (event.kind === "fault") return;
    const counts = this.countsOf(event.group);
    switch (event.kind) {
      case "role":
        counts.roleChanges.add(event.role);
        break;
      case "append":
        counts.appendedEntries += event.entries.length;
        for (const entry of event.entries) counts.appendedBytes += entry.size;
        break;
      case "apply":
        counts.appliedEntries += event.entries.length;
        break;
      case "sync":
        counts.syncs += 1;
        break;
      default:
        countRare(counts, event);
    }
  }

  private countsOf(group: string): GroupCounts {
    let counts = this.groups.get(group);
    if (counts === undefined) {
      counts = new GroupCounts();
      this.groups.set(group, counts);
    }
    return counts;
  }

  private defineGroupGauges(): void {
    const gauge = (name: string, help: string, read: (group: GroupGauges) => number): void =>
      this.gauge(name, help, ["group"], (add) => {
        for (const group of this.gauges()) add(read(group), { group: group.group });
      });
    this.gauge(
      "quorumlog_role",
      "1 for the role that the node has in the group",
      ["group", "role"],
      (add) => {
        for (const { group, role } of this.gauges()) add(1, { group, role });
      },
    );
    this.gauge("quorumlog_standing", "1 for how far the node may take part", ["group", "standing"], (add) => {
      for (const { group, standing } of this.gauges()) add(1, { group, standing });
    });
    this.gauge("quorumlog_intake", "1 for whether the node takes appends", ["group", "intake"], (add) => {
      for (const { group } of this.gauges()) add(1, { group, intake: this.countsOf(group).intake });
    });
    gauge("quorumlog_has_leader", "1 while the node knows who leads", ({ leader }) =>
      leader === "" ? 0 : 1,
    );
    gauge("quorumlog_term", "Raft term", ({ term }) => term);
    gauge(
      "quorumlog_last_index",
      "Index of the last entry of the log; -1 when empty",
      ({ lastIndex }) => lastIndex,
    );
    gauge(
      "quorumlog_commit_index",
      "Index up to which entries are known to be committed",
      (group) => group.commitIndex,
    );
    gauge(
      "quorumlog_applied_index",
      "Index up to which entries reached the state machine",
      (group) => group.appliedIndex,
    );
    gauge(
      "quorumlog_pending_appends",
      "Appends accepted from clients and not yet answered",
      (group) => group.pendingAppends,
    );
    gauge(
      "quorumlog_pending_reads",
      "Reads that wait for a majority, or to be applied",
      (group) => group.pendingReads,
    );
    gauge("quorumlog_waiting_tails", "Tails that wait for an entry", (group) => group.waitingTails);
    gauge(
      "quorumlog_uncommitted_bytes",
      "Bytes of entries that are not known to be committed",
      (group) => group.uncommittedBytes,
    );
    gauge("quorumlog_sessions", "Open client sessions", ({ sessions }) => sessions);
  }

  private plain(name: string, help: string, read: (counts: GroupCounts) => number): void {
    this.counter(name, help, ["group"], (add) => {
      for (const [group, counts] of this.groups) add(read(counts), { group });
    });
  }

  private labelled(
    { name, help, label }: { readonly name: string; readonly help: string; readonly label: string },
    read: (counts: GroupCounts) => LabelledCounts,
  ): void {
    this.counter(name, help, ["group", label], (add) => {
      for (const [group, counts] of this.groups)
        for (const [value, count] of read(counts).entries()) add(count, { group, [label]: value });
    });
  }

  private defineCounters(): void {
    const labelled = (
      name: string,
      help: string,
      label: string,
      read: (c: GroupCounts) => LabelledCounts,
    ): void => this.labelled({ name, help, label }, read);
    labelled(
      "quorumlog_role_changes_total",
      "Changes of the node's role, by the new one",
      "role",
      (c) => c.roleChanges,
    );
    labelled("quorumlog_transfers_total", "Transfers of leadership, by step", "change", (c) => c.transfers);
    labelled(
      "quorumlog_peer_changes_total",
      "Peers whose directory began or ceased to count, or turned away",
      "change",
      (c) => c.peers,
    );
    labelled("quorumlog_client_changes_total", "Clients disconnected", "change", (c) => c.clients);
    labelled("quorumlog_session_changes_total", "Sessions opened and evicted", "change", (c) => c.sessions);
    labelled(
      "quorumlog_refusals_total",
      "Calls of clients and peers refused, by code",
      "code",
      (c) => c.refusals,
    );
    labelled(
      "quorumlog_disk_faults_total",
      "Failures of the disk that ended the node's part, by code",
      "code",
      (c) => c.diskFaults,
    );
    labelled(
      "quorumlog_damaged_records_total",
      "Records found damaged or mended from a peer",
      "change",
      (c) => c.damage,
    );
    this.plain("quorumlog_votes_total", "Votes granted, the node's own included", (c) => c.votes);
    this.plain(
      "quorumlog_appended_entries_total",
      "Entries added to the node's log",
      (c) => c.appendedEntries,
    );
    this.plain(
      "quorumlog_appended_bytes_total",
      "Record bytes added to the node's log",
      (c) => c.appendedBytes,
    );
    this.plain("quorumlog_syncs_total", "Times that entries of the log became durable", (c) => c.syncs);
    this.plain(
      "quorumlog_applied_entries_total",
      "Entries applied to the state machine",
      (c) => c.appliedEntries,
    );
    this.plain(
      "quorumlog_truncations_total",
      "Cuts of uncommitted entries for a new leader's",
      (c) => c.truncations,
    );
    this.plain(
      "quorumlog_duplicates_total",
      "Retried appends answered with their first index",
      (c) => c.duplicates,
    );
    this.plain("quorumlog_reads_total", "Linearizable reads confirmed", (c) => c.reads);
    this.plain("quorumlog_torn_bytes_total", "Bytes of torn tails cut at starts", (c) => c.tornBytes);
  }

  private defineFiles(): void {
    const refused = "Connections turned away at their first bytes, by reason";
    this.counter("quorumlog_connections_refused_total", refused, ["reason"], (add) => {
      for (const [reason, count] of this.turnedAway.entries()) add(count, { reason });
    });
    const { disk } = this;
    this.counter("quorumlog_disk_written_bytes_total", "Bytes written to files", [], (add) =>
      add(disk.bytesWritten),
    );
    this.counter("quorumlog_disk_read_bytes_total", "Bytes read from files", [], (add) =>
      add(disk.bytesRead),
    );
    this.histogram("quorumlog_disk_sync_seconds", "Time of one sync", disk.syncSeconds);
  }

  private defineProcess(version: string): void {
    this.gauge("quorumlog_build_info", "1, labelled with the version", ["version", "node_version"], (add) =>
      add(1, { version, node_version: process.version }),
    );
    this.gauge("process_resident_memory_bytes", "Memory of the process", [], (add) =>
      add(process.memoryUsage.rss()),
    );
    this.gauge("process_heap_used_bytes", "JavaScript heap in use", [], (add) =>
      add(process.memoryUsage().heapUsed),
    );
    this.gauge("process_start_time_seconds", "When the process started, since the Unix epoch", [], (add) =>
      add(Math.round(performance.timeOrigin) / 1_000),
    );
    this.counter("process_cpu_seconds_total", "Processor time, user and system", [], (add) => {
      const { user, system } = process.cpuUsage();
      add((user + system) / 1_000_000);
    });
    this.gauge(
      "quorumlog_event_loop_delay_seconds",
      "Event loop delay, 99th percentile of the last minute or two",
      [],
      (add) => add(this.loop.p99Seconds),
    );
    this.gauge(
      "quorumlog_event_loop_delay_max_seconds",
      "Event loop delay, the longest of the last minute or two",
      [],
      (add) => add(this.loop.maxSeconds),
    );
  }

  private gauge(name: string, help: string, labelNames: string[], collect: Collect): void {
    const registers = [this.registry];
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        collect((value, labels = {}) => this.set(labels, value));
      },
    });
  }

  private counter(name: string, help: string, labelNames: string[], collect: Collect): void {
    const registers = [this.registry];
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        collect((value, labels = {}) => this.inc(labels, value));
      },
    });
  }

  /** The library's histogram takes observations one by one; ours has counted them already. */
  private histogram(name: string, help: string, durations: DurationHistogram): void {
    const get = async () => ({
      name,
      help,
      type: "histogram",
      aggregator: "sum",
      values: [
        ...durations
          .cumulative()
          .map(({ le, count }) => ({ labels: { le }, value: count, metricName: `${name}_bucket` })),
        { labels: {}, value: durations.sum, metricName: `${name}_sum` },
        { labels: {}, value: durations.count, metricName: `${name}_count` },
      ],
    });
    type Registered = Parameters<Registry["registerMetric"]>[0];
    this.registry.registerMetric({ name, get, reset: () => undefined } as unknown as Registered);
  }
}
