import type { Micros } from "../../core/base/units.ts";
import type { Intake, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";
import { forgetNode } from "./cluster-model.ts";
import type { Troubles } from "./troubles.ts";

/** What a member said of its intake, and since when it is so. */
export interface Said {
  readonly intake: Intake;
  readonly since: Micros;
}

/** What checkers of those that take no entries look at beside the model. */
export interface Watched {
  readonly intakes: Intakes;
  readonly troubles: Troubles;
}

/** Which members take entries of clients, as they tell it. It judges nothing. */
export class Intakes implements Checker {
  readonly name = "intakes";
  readonly kinds: readonly TraceKind[] = ["intake", "recovered", "fault"];
  private readonly model: ClusterModel;
  private readonly said = new Map<Member, Said>();

  constructor(model: ClusterModel) {
    this.model = model;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    if (event.kind === "intake") this.said.set(this.model.of(event), { intake: event.intake, since: at });
    else if (event.kind === "recovered") this.said.set(this.model.of(event), { intake: "open", since: at });
    else if (event.kind === "fault" && event.fault === "crash") {
      // What a node said in its life before counts for nothing until it has recovered.
      forgetNode(this.said, event.node);
    }
  }

  /** Undefined while the member's log is not open. */
  of(member: Member): Said | undefined {
    return this.said.get(member);
  }

  /** Whether the member takes part and would take clients' entries as leader. */
  isWritable(member: Member): boolean {
    return member.standing === "member" && this.of(member)?.intake === "open";
  }
}
