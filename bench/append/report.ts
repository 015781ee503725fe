import type { Load, Peer, Timed } from "../peers/peer.ts";
import type { DiskProbe } from "../support/disk-probe.ts";
import { median } from "../support/figures.ts";

/** One system under one load: the median of its rounds, figure by figure. */
export interface Cell extends Load, Timed {
  readonly name: string;
  readonly note: string;
}

/** How quorumlog compares under the same load: above 1 it does more, and waits longer. */
export interface Ratio {
  readonly peer: string;
  readonly bytes: number;
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface AppendReport {
  /** One before each round, one at the end. */
  readonly disks: readonly DiskProbe[];
  readonly cells: readonly Cell[];
  readonly ratios: readonly Ratio[];
  /** Loads under which an append took less time than the disk's own sync. */
  readonly tooFast: readonly string[];
  readonly leftOut: readonly string[];
  readonly rounds: number;
  readonly processors: number;
}

export function cellOf({ name, note }: Peer, load: Load, timed: readonly Timed[]): Cell {
  const of = (figure: (one: Timed) => number | undefined): number =>
    median(timed.flatMap((one) => figure(one) ?? []));
  const processes = timed[0]?.nodeCpuMicros.length ?? 0;
  return {
    name,
    note,
    ...load,
    perSecond: of((one) => one.perSecond),
    p50Ms: of((one) => one.p50Ms),
    p99Ms: of((one) => one.p99Ms),
    nodeCpuMicros: Array.from({ length: processes }, (_, at) => of((one) => one.nodeCpuMicros[at])),
    loadCpuMicros: of((one) => one.loadCpuMicros),
    ...(timed.some((one) => one.syncsPerSecond !== undefined)
      ? { syncsPerSecond: of((one) => one.syncsPerSecond), appendsPerSync: of((one) => one.appendsPerSync) }
      : {}),
  };
}

export function ratiosOf(own: readonly Cell[], cells: readonly Cell[]): Ratio[] {
  return cells.flatMap((peer): Ratio[] => {
    const ours = own.find((cell) => cell.bytes === peer.bytes && cell.inFlight === peer.inFlight);
    if (ours === undefined || own.includes(peer)) return [];
    const ratio = (mine: number, theirs: number): number => Math.round((mine / theirs) * 100) / 100;
    return [
      {
        peer: peer.name,
        bytes: peer.bytes,
        inFlight: peer.inFlight,
        perSecond: ratio(ours.perSecond, peer.perSecond),
        p50: ratio(ours.p50Ms, peer.p50Ms),
        p99: ratio(ours.p99Ms, peer.p99Ms),
      },
    ];
  });
}

/**
 * An append waits for the syncs of two disks, so one that is faster than the disk was not synced. The fastest of the
 * probes counts: what else the machine does can only make one slower.
 */
export function tooFast(own: readonly Cell[], disks: readonly DiskProbe[]): string[] {
  const least = Math.min(...disks.map(({ syncP50Ms }) => syncP50Ms));
  return own
    .filter(({ p50Ms }) => p50Ms < least)
    .map(({ bytes, inFlight, p50Ms }) => {
      return `${bytes} bytes, ${inFlight} in flight: p50 ${p50Ms} ms, where the disk alone takes ${least} ms: something is not synced`;
    });
}

export function jsonOf(report: AppendReport): string {
  return `${JSON.stringify(report)}\n`;
}

const columns = [
  "system",
  "bytes",
  "in flight",
  "acked/s",
  "p50 ms",
  "p99 ms",
  "CPU us: nodes",
  "load",
  "syncs/s",
  "a sync",
];

export function textOf(report: AppendReport): string {
  const { disks, cells, ratios, leftOut, tooFast: failed, rounds, processors } = report;
  const disk = (figure: (probe: DiskProbe) => number): number => median(disks.map(figure));
  const notes = new Map(cells.map(({ name, note }) => [name, note]));
  const lines = [
    `${processors} processors; ${disks[0]?.fileSystem}: 1 KiB and fdatasync takes p50 ${disk((probe) => probe.syncP50Ms)} ms, p99 ${disk((probe) => probe.syncP99Ms)} ms`,
    `Median of ${rounds} round${rounds === 1 ? "" : "s"}, the systems in turns, each client connected to the leader.`,
    "CPU: microseconds an append, of each process (the leader first; of DLedger in any order) and of the load program.",
    "syncs/s and appends a sync are the leader's.",
    "",
    ...table([columns, ...cells.map(cellRow)]),
    "",
    "Acknowledged when:",
    ...[...notes].map(([name, note]) => `  ${name}: ${note}`),
    ...(ratios.length > 0 ? ["", "quorumlog to:", ...ratioLines(ratios)] : []),
    ...leftOut.map((what) => `!! LEFT OUT: ${what}`),
    ...failed.map((what) => `FAILED ${what}`),
  ];
  return `${lines.join("\n")}\n`;
}

function cellRow(cell: Cell): (string | number)[] {
  return [
    cell.name,
    cell.bytes,
    cell.inFlight,
    cell.perSecond,
    cell.p50Ms,
    cell.p99Ms,
    cell.nodeCpuMicros.join("/"),
    cell.loadCpuMicros,
    cell.syncsPerSecond ?? "",
    cell.appendsPerSync ?? "",
  ];
}

function ratioLines(ratios: readonly Ratio[]): string[] {
  const rows = ratios.map(({ peer, bytes, inFlight, perSecond, p50, p99 }) => [
    `  ${peer}`,
    bytes,
    inFlight,
    `acked/s x ${perSecond}`,
    `p50 x ${p50}`,
    `p99 x ${p99}`,
  ]);
  return table(rows);
}

function table(rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => String(row[at]).length)));
  return rows.map((row) =>
    row
      .map((cell, at) => String(cell).padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
