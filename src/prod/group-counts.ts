import type { Intake, TraceEvent } from "../core/io/trace.ts";
import { LabelledCounts } from "./counters.ts";

/** Plain counters of one group, raised by its trace. */
export class GroupCounts {
  readonly roleChanges: LabelledCounts = new LabelledCounts();
  readonly refusals: LabelledCounts = new LabelledCounts();
  readonly diskFaults: LabelledCounts = new LabelledCounts();
  readonly damage: LabelledCounts = new LabelledCounts();
  readonly peers: LabelledCounts = new LabelledCounts();
  readonly clients: LabelledCounts = new LabelledCounts();
  readonly transfers: LabelledCounts = new LabelledCounts();
  readonly sessions: LabelledCounts = new LabelledCounts();
  votes = 0;
  appendedEntries = 0;
  appendedBytes = 0;
  syncs = 0;
  appliedEntries = 0;
  truncations = 0;
  duplicates = 0;
  reads = 0;
  tornBytes = 0;
  intake: Intake = "open";
}

type RareEvent = Exclude<TraceEvent, { kind: "fault" }>;

/** What is told seldom; entries and syncs have their own fields. */
export function countRare(counts: GroupCounts, event: RareEvent): void {
  switch (event.kind) {
    case "vote":
      counts.votes += 1;
      break;
    case "truncate":
      counts.truncations += 1;
      break;
    case "duplicate":
      counts.duplicates += 1;
      break;
    case "read":
      counts.reads += 1;
      break;
    case "recovered":
      counts.tornBytes += event.tornBytes;
      break;
    case "refuse":
      counts.refusals.add(event.code);
      break;
    case "intake":
      counts.intake = event.intake;
      break;
    case "disk":
      counts.diskFaults.add(event.code);
      break;
    case "damage":
      counts.damage.add(event.change, event.to - event.from + 1);
      break;
    case "peer":
      counts.peers.add(event.change);
      break;
    case "client":
      counts.clients.add(event.change);
      break;
    case "transfer":
      counts.transfers.add(event.change);
      break;
    case "session":
      counts.sessions.add(event.change);
      break;
    default:
      break;
  }
}
