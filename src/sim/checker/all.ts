import { AppendOnce } from "./append-once.ts";
import { AppliedLog } from "./applied-log.ts";
import { BoundedBacklog } from "./bounded-backlog.ts";
import { LawfulCampaign } from "./campaigns.ts";
import type { Checker, Report, Topology } from "./checker.ts";
import { ClusterModel } from "./cluster-model.ts";
import { CommittedDurable } from "./committed-durable.ts";
import { CommittedImmutable } from "./committed-immutable.ts";
import { Convergence } from "./convergence.ts";
import { DamagedVouchesNot } from "./damaged-vouches-not.ts";
import { DeposedStepsDown } from "./deposed-leader.ts";
import { ElectionSafety } from "./election-safety.ts";
import { FailedIsSilent } from "./failed-is-silent.ts";
import { HandsOver } from "./hands-over.ts";
import { HarmedRecords } from "./harmed-records.ts";
import type { SyncedRecords } from "./honest-sync.ts";
import { HonestSync } from "./honest-sync.ts";
import { Intakes } from "./intakes.ts";
import { LastResort } from "./last-resort.ts";
import { LeaderAppendOnly } from "./leader-append-only.ts";
import { LeaderCompleteness } from "./leader-completeness.ts";
import { LinearizableLog } from "./linearizable-log.ts";
import { Liveness } from "./liveness.ts";
import { LogMatching } from "./log-matching.ts";
import { Monotonic } from "./monotonic.ts";
import { NamedFiles } from "./named-files.ts";
import { ReadOnlyNodes } from "./read-only.ts";
import { Reserve } from "./reserve.ts";
import { SessionOrder } from "./session-order.ts";
import { SoundRefusal } from "./sound-refusal.ts";
import { SoundStanding } from "./sound-standing.ts";
import { StateMachineSafety } from "./state-machine-safety.ts";
import { TailIntegrity } from "./tail-integrity.ts";
import { TailsGoOn } from "./tails-go-on.ts";
import { LawfulTransfer } from "./transfers.ts";
import { Troubles } from "./troubles.ts";
import { TrueMatch } from "./true-match.ts";
import { VoteDurability } from "./vote-durability.ts";
import { WipedIsSilent } from "./wiped-is-silent.ts";

/** All checkers of one run, in the order in which they must be handed each event: what judges nothing comes first. */
export interface Checkers {
  readonly all: readonly Checker[];
  readonly model: ClusterModel;
  readonly applied: AppliedLog;
  /** The runner tells this one when the faults are over. */
  readonly liveness: Liveness;
  /** And asks this one, once the last read is over. */
  readonly tails: TailsGoOn;
}

/** @param disks what is really on them; without it nobody asks. */
export function allCheckers(report: Report, topology: Topology, disks?: SyncedRecords): Checkers {
  const model = new ClusterModel(topology);
  const applied = new AppliedLog(topology);
  const harmed = new HarmedRecords();
  const watched = { intakes: new Intakes(model), troubles: new Troubles() };
  const liveness = new Liveness(report, model, topology);
  const tails = new TailsGoOn(report);
  const all: readonly Checker[] = [
    model,
    applied,
    harmed,
    watched.intakes,
    watched.troubles,
    new ElectionSafety(report, model),
    new LawfulCampaign(report, model),
    new LawfulTransfer(report, model),
    new DeposedStepsDown(report, model),
    new LeaderAppendOnly(report, model),
    new BoundedBacklog(report, model),
    new LogMatching(report, model),
    new LeaderCompleteness(report, model),
    new StateMachineSafety(report, applied),
    new SessionOrder(report, model),
    new CommittedImmutable(report, model, topology),
    new CommittedDurable(report, model),
    ...(disks === undefined ? [] : [new HonestSync(report, model, disks)]),
    new NamedFiles(report),
    new TrueMatch(report, model),
    new VoteDurability(report, model),
    new Monotonic(report, model),
    new ReadOnlyNodes(report, model, watched),
    new Reserve(report, model),
    new HandsOver(report, model, watched),
    new LastResort(report, model, watched),
    new SoundStanding(report, harmed),
    new DamagedVouchesNot(report, model),
    new FailedIsSilent(report, topology),
    new WipedIsSilent(report, model),
    new AppendOnce(report, applied),
    new LinearizableLog(report, applied),
    new TailIntegrity(report, applied),
    new SoundRefusal(report),
    new Convergence(report, model),
    liveness,
    tails,
  ];
  return { all, model, applied, liveness, tails };
}
