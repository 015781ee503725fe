import type { NodeId } from "../core/base/brand.ts";
import type { TraceEvent, TraceKind } from "../core/io/trace.ts";
import type { ClusterModel, Member } from "./checker/cluster-model.ts";
import type { History, KeyedLog } from "./history/history.ts";
import type { TraceReader } from "./trace-sink.ts";

/**
 * Rare situations that a rehearsal must come through: code that is never reached proves nothing by not failing. A run
 * counts them; a run over many seeds prints the table and fails when one of a scenario's own is never reached.
 */
export const situations = {
  "tail-truncated": "a follower cut entries that its leader does not have",
  "leader-cut-own-entries":
    "a deposed leader cut entries that it had appended itself and never saw committed",
  "several-terms-cut": "what a follower cut was of several terms",
  "torn-tail-cut": "recovery cut a torn tail",
  "retry-deduplicated": "a retried append was answered with its first index",
  "acknowledgement-lost": "an append landed, and its client never learned it",
  "reads-aborted": "a leader stepped down before it confirmed linearizable reads",
  "vote-refused-for-log": "a voter refused a candidate whose log was less complete",
  "candidate-outrun": "a candidate came to follow a rival that had won its own term",
  "split-vote": "a candidate's term ended without a leader",
  "stepped-down-without-quorum": "a leader heard no quorum and stepped down",
  "two-leaders": "a leader of an older term still led when a newer one was elected",
  "transfer-done": "leadership was handed over",
  "transfer-failed": "a hand-over was given up",
  "session-evicted": "a full session table evicted the session that was used least recently",
  "damage-mended": "a damaged record was mended from a peer",
  "damage-cut": "damaged records were cut, for they conflicted with the leader's log",
  "disk-failed": "a node gave up after its disk failed a write or a sync",
  "failed-left-alone": "a node that had given up was left as it was to the end",
  "wiped-voter-back": "a voter came back with an empty directory",
  "leader-full": "the disk of a leader filled up",
  "no-op-on-reserve": "a leader whose disk was full committed its no-op from the reserve",
  "full-yielded": "a node whose disk was full gave way to a voter with room",
  "full-handed-over": "a leader whose disk was full handed leadership over",
  "majority-full-refused": "a leader of several refused appends, for the disks of a majority were full",
  "pending-full-refused": "a node refused a call, for as many as it takes were waiting already",
  "read-only-handed-over": "a read-only leader handed leadership over",
  "read-only-yielded": "a read-only node gave way to a writable voter",
  "read-only-led": "a read-only node led, for no writable voter's log was as complete",
  "paused-leader-deposed": "a leader stood still, and went on when another led",
  "queue-full": "a connection took no frame, for its send buffer was full",
  "crash-before-first-commit": "a leader crashed before the no-op of its term was committed",
} as const;

export type Situation = keyof typeof situations;

export const situationNames: readonly Situation[] = Object.keys(situations) as Situation[];

/** What is remembered of one member between two events. */
interface Seen {
  readonly ledTerms: Set<number>;
  /** Its term as leader; 0 when it does not lead. */
  leads: number;
  /** Index of its no-op while that is not committed; -1 otherwise. */
  openNoOp: number;
  /** A candidate, of whose term no leader is known yet. */
  campaigning: boolean;
  /** The term of its campaign while that is under way; 0 when none is. */
  campaignTerm: number;
  intake: "open" | "read-only" | "full";
  /** What becomes of its damage: `cut` when its log was cut since and nothing was mended after that. */
  damage: "none" | "open" | "cut";
}

/** What a hand-over is, by what its leader took from clients. */
const handedOver = {
  open: "transfer-done",
  "read-only": "read-only-handed-over",
  full: "full-handed-over",
} as const;

/** Counts rare situations on the trace and in the clients' history. It reads each event before the model takes it in. */
export class Situations implements TraceReader {
  readonly kinds: readonly TraceKind[] = [
    "truncate",
    "recovered",
    "duplicate",
    "reads-aborted",
    "vote-refused",
    "role",
    "transfer",
    "session",
    "damage",
    "standing",
    "intake",
    "refuse",
    "commit",
    "fault",
  ];
  private readonly model: ClusterModel;
  private readonly counts = new Map<Situation, number>();
  private readonly seen = new Map<Member, Seen>();
  private readonly paused = new Set<NodeId | "">();
  private readonly wiped = new Set<NodeId | "">();

  constructor(model: ClusterModel) {
    this.model = model;
  }

  get counted(): Readonly<Partial<Record<Situation, number>>> {
    return Object.fromEntries(situationNames.flatMap((name) => this.pair(name)));
  }

  private pair(name: Situation): (readonly [Situation, number])[] {
    const count = this.counts.get(name);
    return count === undefined ? [] : [[name, count]];
  }

  private count(name: Situation): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  private of(member: Member): Seen {
    let seen = this.seen.get(member);
    if (seen === undefined) {
      seen = {
        ledTerms: new Set(),
        leads: 0,
        openNoOp: -1,
        campaigning: false,
        campaignTerm: 0,
        intake: "open",
        damage: "none",
      };
      this.seen.set(member, seen);
    }
    return seen;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "fault") return this.onFault(event.node, event.fault);
    const member = this.model.of(event);
    const seen = this.of(member);
    switch (event.kind) {
      case "truncate":
        if (member.termAt(member.lastIndex) > member.termAt(event.from)) this.count("several-terms-cut");
        return this.onTruncate(member.termAt(event.from), seen);
      case "recovered":
        if (event.tornBytes > 0) this.count("torn-tail-cut");
        if (this.wiped.delete(event.node)) this.count("wiped-voter-back");
        Object.assign(seen, { leads: 0, openNoOp: -1, campaigning: false, campaignTerm: 0, intake: "open" });
        seen.damage = event.standing === "damaged" ? "open" : "none";
        return;
      case "role":
        return this.onRole(event, member, seen);
      case "commit":
        return this.onCommit(event.index, seen);
      case "intake":
        seen.intake = event.intake;
        if (event.intake === "full" && seen.leads > 0) this.count("leader-full");
        return;
      default:
        return this.onPlain(event, seen);
    }
  }

  /** Events that are a situation by themselves, or nearly. */
  private onPlain(event: TraceEvent, seen: Seen): void {
    switch (event.kind) {
      case "duplicate":
        return this.count("retry-deduplicated");
      case "reads-aborted":
        return this.count("reads-aborted");
      case "vote-refused":
        if (event.why === "log") this.count("vote-refused-for-log");
        return;
      case "session":
        if (event.change === "evicted") this.count("session-evicted");
        return;
      case "transfer":
        if (event.change === "failed") this.count("transfer-failed");
        if (event.change === "done") this.count(handedOver[seen.intake]);
        return;
      case "damage":
        if (event.change === "mended") this.count("damage-mended");
        seen.damage = "open";
        return;
      case "standing":
        if (event.standing === "failed") this.count("disk-failed");
        // Whole again, and not by mending: what was damaged is gone.
        else if (event.standing !== "damaged" && seen.damage === "cut") this.count("damage-cut");
        seen.damage = event.standing === "damaged" ? "open" : "none";
        return;
      case "refuse":
        if (event.code === "disk-full" && this.isMajorityFull(this.model.of(event)))
          this.count("majority-full-refused");
        if (event.code === "pending-full") this.count("pending-full-refused");
        return;
      default:
        return;
    }
  }

  private onTruncate(entryTerm: number, seen: Seen): void {
    this.count("tail-truncated");
    if (seen.ledTerms.has(entryTerm)) this.count("leader-cut-own-entries");
    if (seen.damage !== "none") seen.damage = "cut";
  }

  private isMajorityFull({ group }: Member): boolean {
    const full = group.members.filter((member) => this.of(member).intake === "full");
    return group.members.length > 1 && full.length >= group.majority;
  }

  private onRole(event: Extract<TraceEvent, { kind: "role" }>, member: Member, seen: Seen): void {
    if (event.reason === "check-quorum") this.count("stepped-down-without-quorum");
    if (event.reason === "yields") this.count(seen.intake === "full" ? "full-yielded" : "read-only-yielded");
    // Its election timer ran out in the term in which it had asked for votes.
    if (event.role === "pre-candidate" && seen.campaigning) this.count("split-vote");
    if (event.role === "follower" && event.leader !== "" && seen.campaignTerm === event.term)
      this.count("candidate-outrun");
    seen.campaignTerm = event.role === "candidate" ? event.term : 0;
    seen.campaigning = event.role === "candidate";
    if (event.role !== "leader") {
      seen.leads = 0;
      seen.openNoOp = -1;
      return;
    }
    for (const other of member.group.members) {
      if (other === member || this.of(other).leads === 0) continue;
      this.count("two-leaders");
      if (this.paused.has(other.node)) this.count("paused-leader-deposed");
    }
    if (seen.intake === "read-only") this.count("read-only-led");
    seen.leads = event.term;
    seen.ledTerms.add(event.term);
    seen.openNoOp = event.lastIndex + 1;
  }

  private onCommit(index: number, seen: Seen): void {
    if (seen.leads === 0 || seen.openNoOp < 0 || index < seen.openNoOp) return;
    if (seen.intake === "full") this.count("no-op-on-reserve");
    seen.openNoOp = -1;
  }

  private onFault(node: NodeId | "", fault: string): void {
    if (fault === "pause") this.paused.add(node);
    else if (fault === "resume") this.paused.delete(node);
    else if (fault === "wipe") this.wiped.add(node);
    else if (fault === "left-alone") this.count("failed-left-alone");
    else if (fault === "queue-full") this.count("queue-full");
    else if (fault === "crash") {
      for (const [member, seen] of this.seen) {
        if (member.node !== node) continue;
        if (seen.leads > 0 && seen.openNoOp >= 0) this.count("crash-before-first-commit");
        seen.leads = 0;
      }
    }
  }

  /** What only the clients' history tells. */
  atEnd(histories: readonly History[], logOf: (history: History) => KeyedLog): void {
    for (const history of histories) {
      const landed = new Set(logOf(history));
      for (const operation of history.operations) {
        if (operation.kind !== "append" || operation.outcome !== "unknown") continue;
        if (operation.keys.some((key) => landed.has(key))) this.count("acknowledgement-lost");
      }
    }
  }
}
