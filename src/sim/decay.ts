import type { GroupId, NodeId } from "../core/base/brand.ts";
import type { Micros } from "../core/base/units.ts";
import { millisecond, second } from "../core/base/units.ts";
import { placeOf } from "../core/storage/format.ts";
import type { Site } from "./decisions.ts";
import type { DiskHarm, DiskWorld, Stray } from "./disk.ts";
import type { FaultBudget } from "./fault-budget.ts";
import type { Harm, HarmKind } from "./harm.ts";
import { drawHarm, harmKinds, pieceHarm } from "./harm.ts";
import { LogMap } from "./log-map.ts";
import { RandomStream } from "./random.ts";
import { sectorBytes } from "./rot.ts";
import type { SimFile } from "./sim-file.ts";
import type { Standings } from "./standings.ts";
import type { World } from "./world.ts";

/** How often rot and misdirected writes are looked after. */
const every: Micros = 250 * millisecond;
/** A node that was given something stale may take it for damage for so long, until it says otherwise. */
const staleFor: Micros = 500 * millisecond;
/** A write that went astray is found once what it wrote is proven to be synced, or never. */
const strayFor: Micros = 5 * second;
const straysMax = 8;

interface Sites {
  readonly restart: Site;
  readonly running: Site;
  readonly stale: Site;
  readonly astray: Site;
  readonly misdirected: Site;
}

interface Read {
  readonly file: SimFile;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly n: number;
}

/** What a sector may give instead of its content; undefined for nothing else. */
type ContentOf = (sector: number) => Uint8Array | undefined;

/** A way in which reads go wrong. */
interface Misread {
  readonly site: Site;
  readonly probability: number;
  readonly what: string;
  other(map: LogMap, segment: number, random: RandomStream): ContentOf;
}

/** What a disk does not give back for a while, though it holds it. */
interface Veil {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly harm: Harm;
  /** What stands in those places; once it is something else, by a power loss say, there is nothing to hide any more. */
  readonly hidden: readonly Uint8Array[];
  readonly until: Micros;
}

export interface DecayOptions {
  readonly groups: readonly GroupId[];
  readonly budget: FaultBudget;
  readonly standings: Standings;
  /** Whether the node's process runs, and whether its start has completed. */
  isUp(node: NodeId): boolean;
  hasStarted(node: NodeId): boolean;
}

/**
 * What disks do to what they hold: it rots, writes land elsewhere, reads are stale or of another place. In a recoverable run only so that the
 * loss can be told and mended: where a later batch proves that what is lost had been synced, and on a minority of the voters
 * at a time.
 */
export class Decay implements DiskHarm {
  private readonly world: World;
  private readonly options: DecayOptions;
  private readonly disks = new Map<NodeId, DiskWorld>();
  private readonly sites = new Map<NodeId, Sites>();
  private readonly counts = new Map<NodeId, { restarts: number; looks: number }>();
  private readonly staleAt = new Map<NodeId, Micros>();
  private readonly strays = new Map<NodeId, Stray[]>();
  private veils: Veil[] = [];

  constructor(world: World, options: DecayOptions) {
    this.world = world;
    this.options = options;
  }

  add(node: NodeId, disk: DiskWorld): void {
    const { random, decisions } = this.world;
    const site = (kind: string): Site =>
      decisions.site(kind, node, node, random.stream(`disk(${node}).${kind}`));
    this.disks.set(node, disk);
    this.counts.set(node, { restarts: 0, looks: 0 });
    this.sites.set(node, {
      restart: site("bit-rot"),
      running: site("rot"),
      stale: site("stale-read"),
      astray: site("misdirected-read"),
      misdirected: site("misdirected-write"),
    });
    disk.harm = this;
  }

  /** Looks after running disks from now on, if there is anything to look after. */
  start(): void {
    const { settings, scheduler } = this.world;
    if (settings["disk.rot"] <= 0 && settings["disk.misdirectedWrite"] <= 0) return;
    scheduler.call(scheduler.now + every, () => {
      for (const node of this.disks.keys()) if (this.options.isUp(node)) this.look(node);
      this.start();
    });
  }

  private look(node: NodeId): void {
    const counts = this.counts.get(node) as { looks: number };
    const n = counts.looks++;
    const { settings } = this.world;
    this.carryOutStrays(node);
    if (this.options.hasStarted(node))
      this.byChance(node, this.siteOf(node).running, n, settings["disk.rot"]);
  }

  /** The node's process is about to start again. */
  restarts(node: NodeId): void {
    const counts = this.counts.get(node) as { restarts: number };
    this.carryOutStrays(node);
    this.byChance(node, this.siteOf(node).restart, counts.restarts++, this.world.settings["disk.bitRot"]);
  }

  private siteOf(node: NodeId): Sites {
    return this.sites.get(node) as Sites;
  }

  private byChance(node: NodeId, site: Site, n: number, probability: number): void {
    if (!site.would(n, probability) || !this.options.budget.allows(node)) return;
    const value = site.value(n, probability, 0xffff_ffff);
    if (!this.options.budget.recoverable && value % 2 === 0) {
      // Where nothing need be recoverable, anything may be lost: the end of the log, both votes, the directory's name.
      if (this.disks.get(node)?.flipAnywhere(value >>> 1) === true)
        this.world.trace.fault(node, "data-loss", "a bit somewhere");
      return;
    }
    const kind = harmKinds[(value >>> 3) % harmKinds.length] as HarmKind;
    this.harm(node, kind, value);
  }

  /**
   * Harms one of the node's logs.
   * @returns whether anything was harmed: not when the budget, or recovery's evidence, is against it.
   */
  harm(node: NodeId, kind: HarmKind, value: number): boolean {
    const drawn = this.harmOf(node, kind, value);
    return drawn !== undefined && this.carryOut(node, drawn.group, drawn.harm);
  }

  private harmOf(node: NodeId, kind: HarmKind, value: number): { group: GroupId; harm: Harm } | undefined {
    const { groups, budget } = this.options;
    if (!budget.allows(node)) return undefined;
    const group = groups[value % groups.length] as GroupId;
    const map = this.mapOf(node, group);
    // Both slots of a running node may be about to change: one that rots now may be the only good one then.
    const busy = kind === "slot" && budget.recoverable && this.options.isUp(node);
    const harm = map === undefined || busy ? undefined : drawHarm(map, kind, value);
    return harm === undefined ? undefined : { group, harm };
  }

  /** As `harm`, but the disk holds what it does not give: after `lasting`, or once it is written over, reads are right again. */
  hide(node: NodeId, kind: HarmKind, value: number, lasting: Micros): boolean {
    const drawn = this.harmOf(node, kind, value);
    if (drawn === undefined || !this.options.budget.mayDamage(node)) return false;
    const { file, places } = drawn.harm;
    const hidden = places.map(({ offset, bytes }) => file.read(offset, bytes.length).slice());
    this.veils.push({ node, ...drawn, hidden, until: this.world.scheduler.now + lasting });
    this.world.count("veil");
    return true;
  }

  hides(file: SimFile): boolean {
    if (this.veils.length === 0) return false;
    this.veils = this.veils.filter((veil) => this.isHiding(veil));
    return this.veils.some(({ harm }) => harm.file === file);
  }

  /** The same bytes too: they may be those of other records than were told. */
  overwritten(file: SimFile, offset: number, length: number): void {
    if (this.veils.length === 0) return;
    const meets = (place: { readonly offset: number; readonly bytes: Uint8Array }): boolean =>
      place.offset < offset + length && offset < place.offset + place.bytes.length;
    this.veils = this.veils.filter(({ harm }) => harm.file !== file || !harm.places.some(meets));
  }

  private isHiding({ harm: { file, places }, hidden, until }: Veil): boolean {
    if (this.world.scheduler.now >= until) return false;
    return places.every(({ offset, bytes }, i) =>
      same(file.read(offset, bytes.length), hidden[i] as Uint8Array),
    );
  }

  /** What is hidden is told with every read that misses it: it is one of those that pass. */
  private veil(disk: DiskWorld, file: SimFile, offset: number, bytes: Uint8Array): void {
    for (const { node, group, harm } of this.veils) {
      if (harm.file !== file || node !== disk.host.id) continue;
      const missed = harm.places.filter(
        (place) => place.offset >= offset && place.offset + place.bytes.length <= offset + bytes.length,
      );
      if (missed.length === 0 || !this.options.budget.mayDamage(node)) continue;
      for (const place of missed) overlay(bytes, offset, place);
      this.staleAt.set(node, this.world.scheduler.now);
      this.tell(node, group, { ...harm, where: `${harm.where}, misdirected read` });
    }
  }

  private carryOut(node: NodeId, group: GroupId, harm: Harm): boolean {
    if (!this.options.budget.mayDamage(node)) return false;
    for (const { offset, bytes } of harm.places) harm.file.corrupt(offset, bytes);
    this.world.count("damage");
    this.tell(node, group, harm);
    return true;
  }

  /** `g0 12..15 sector`: the records that cannot be read any more. */
  private tell(node: NodeId, group: GroupId, { first, last, where }: Omit<Harm, "file" | "places">): void {
    const range = first > last ? "none" : `${first}..${last}`;
    this.world.trace.fault(node, "damage", `${group} ${range} ${where}`);
  }

  private mapOf(node: NodeId, group: GroupId): LogMap | undefined {
    const disk = this.disks.get(node);
    return disk === undefined ? undefined : LogMap.of(disk.tree, group);
  }

  /** Whether everything that was harmed on the node's disk is mended, and the node knows it. */
  isWhole(node: NodeId): boolean {
    const disk = this.disks.get(node);
    if (disk === undefined) return true;
    const { standings, isUp, hasStarted } = this.options;
    if (standings.any(node, "damaged")) return false;
    if (this.veils.some((veil) => veil.node === node && this.isHiding(veil))) return false;
    const stale = this.staleAt.get(node);
    if (stale !== undefined && isUp(node)) {
      if (!hasStarted(node) || this.world.scheduler.now - stale < staleFor) return false;
    }
    this.staleAt.delete(node);
    const rotten = disk.tree.files().filter((file) => file.rottenBytes().length > 0);
    if (rotten.length === 0) return true;
    const maps = this.options.groups.flatMap((group) => this.mapOf(node, group) ?? []);
    // A cut that is not synced, or never will be, may be undone by a crash: what it took away would be there again, rotten.
    if (maps.some((map) => !map.isCutDurable)) return false;
    return rotten.every((file) =>
      file.rottenBytes().every((position) => maps.every((map) => map.isIdle(file, position))),
    );
  }

  // ---- Reads and writes, as the disk carries them out

  read(disk: DiskWorld, file: SimFile, offset: number, bytes: Uint8Array, n: number): void {
    const node = disk.host.id as NodeId;
    const { settings } = this.world;
    const { stale, astray } = this.siteOf(node);
    if (this.hides(file)) this.veil(disk, file, offset, bytes);
    const read = { file, offset, bytes, n };
    this.misread(node, read, {
      site: stale,
      probability: settings["disk.staleRead"],
      what: "stale read",
      other: () => (sector) => file.olderSector(sector),
    });
    this.misread(node, read, {
      site: astray,
      probability: settings["disk.misdirectedRead"],
      what: "misdirected read",
      other: (map, segment, random) => elsewhere(map, segment, random),
    });
  }

  /** Puts other bytes into some sectors of what a read gives, where recovery can tell that they are others. */
  private misread(
    node: NodeId,
    { file, offset, bytes, n }: Read,
    { site, probability, what, other }: Misread,
  ): void {
    if (!site.would(n, probability) || !this.options.budget.allows(node)) return;
    const place = this.placeOfFile(node, file);
    if (place === undefined) return;
    const { map, segment } = place;
    const contentOf = other(map, segment, new RandomStream(n | 0, this.world.seed | 0, 0x72, 0x73));
    const sectors: number[] = [];
    for (let s = Math.ceil(offset / sectorBytes); (s + 1) * sectorBytes <= offset + bytes.length; s++) {
      const content = contentOf(s);
      if (content === undefined || map.hasFormerHeader(segment, s * sectorBytes, content)) continue;
      if (pieceHarm(map, segment, s * sectorBytes, content, "") !== undefined) sectors.push(s);
    }
    if (sectors.length === 0) return;
    const random = new RandomStream(site.value(n, probability, 0xffff_ffff) | 0, 0x61, 0x62, 0x63);
    const count = 1 + (random.draw(1) % 4);
    const from = random.draw(2) % sectors.length;
    const harms = sectors
      .slice(from, from + count)
      .flatMap((s) => pieceHarm(map, segment, s * sectorBytes, contentOf(s) as Uint8Array, what) ?? []);
    if (harms.length === 0 || !this.options.budget.mayDamage(node)) return;
    for (const { places } of harms) for (const harmed of places) overlay(bytes, offset, harmed);
    this.staleAt.set(node, this.world.scheduler.now);
    for (const harm of harms) this.tell(node, map.group, harm);
  }

  private placeOfFile(
    node: NodeId,
    file: SimFile,
  ): { readonly map: LogMap; readonly segment: number } | undefined {
    for (const group of this.options.groups) {
      const map = this.mapOf(node, group);
      const segment = map?.segments.indexOf(file) ?? -1;
      if (map !== undefined && segment !== -1) return { map, segment };
    }
    return undefined;
  }

  written(disk: DiskWorld, stray: Stray): void {
    const node = disk.host.id as NodeId;
    const { misdirected } = this.siteOf(node);
    if (!misdirected.would(stray.n, this.world.settings["disk.misdirectedWrite"])) return;
    const strays = this.strays.get(node) ?? [];
    this.strays.set(node, strays);
    strays.push(stray);
    if (strays.length > straysMax) strays.shift();
  }

  /** What the page cache hid comes to light: the write is not where it belongs, and something else is overwritten. */
  private carryOutStrays(node: NodeId): void {
    const strays = this.strays.get(node);
    if (strays === undefined || strays.length === 0) return;
    const { now } = this.world.scheduler;
    const left = strays.filter((stray) => now - stray.at < strayFor && !this.goesAstray(node, stray));
    this.strays.set(node, left);
  }

  private goesAstray(node: NodeId, { n, file, offset, before, content }: Stray): boolean {
    if (!this.options.budget.allows(node)) return false;
    // What was written there since has landed: one write that strays takes no other with it.
    if (!same(file.read(offset, content.length), content)) return true;
    for (const group of this.options.groups) {
      const map = this.mapOf(node, group);
      const segment = map?.segments.indexOf(file) ?? -1;
      if (map === undefined || segment === -1) continue;
      // The header of before a cut is a good one: nothing tells that it is old, nor that what it counts was cut.
      if (map.hasFormerHeader(segment, offset, before)) return true;
      const missing = pieceHarm(map, segment, offset, before, "misdirected write");
      if (missing === undefined || missing.last < missing.first) return false;
      const { misdirected } = this.siteOf(node);
      const value = misdirected.value(n, this.world.settings["disk.misdirectedWrite"], 0xffff_ffff);
      if (value === 0) return true;
      if (!this.carryOut(node, group, missing)) return true;
      const place = placeOf(map.proven);
      const target = value % (place.segment + 1);
      const room = target === place.segment ? place.offset : (map.segments[target]?.length ?? 0);
      const sector = (value >>> 4) % Math.max(1, Math.floor(room / sectorBytes));
      const landed = pieceHarm(map, target, sector * sectorBytes, content, "another's write");
      if (landed !== undefined) this.carryOut(node, group, landed);
      return true;
    }
    return true;
  }
}

/** The sectors of another place: as far away in the same segment, or in another one, as they are from each other. */
function elsewhere({ segments }: LogMap, segment: number, random: RandomStream): ContentOf {
  const others = segments.length - 1;
  const far = others > 0 && random.draw(1) % 3 === 0;
  const source = segments[far ? (segment + 1 + (random.draw(2) % others)) % segments.length : segment];
  const sectors = Math.floor((source?.length ?? 0) / sectorBytes);
  if (source === undefined || sectors < 2) return () => undefined;
  const away = far ? 0 : 1 + (random.draw(3) % (sectors - 1));
  const own = segments[segment];
  return (sector) => {
    const found = source.read(((sector + away) % sectors) * sectorBytes, sectorBytes);
    if (found.length < sectorBytes) return undefined;
    // The same bytes, mostly zeros, are no other ones.
    return own !== undefined && same(found, own.read(sector * sectorBytes, sectorBytes)) ? undefined : found;
  };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function overlay(
  bytes: Uint8Array,
  offset: number,
  place: { readonly offset: number; readonly bytes: Uint8Array },
): void {
  const at = place.offset - offset;
  const part = place.bytes.subarray(0, Math.max(0, Math.min(place.bytes.length, bytes.length - at)));
  bytes.set(part, at);
}
