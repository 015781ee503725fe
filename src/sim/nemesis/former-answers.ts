import type { GroupId, NodeId } from "../../core/base/brand.ts";
import { majority } from "../../core/base/quorum.ts";
import type { Micros } from "../../core/base/units.ts";
import { millisecond, second } from "../../core/base/units.ts";
import type { TraceEvent } from "../../core/io/trace.ts";
import type { Cut, NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/** So long the witness's answers are on their way: time for a successor to be elected, to fail, and to be succeeded. */
const heldMin = 1_500 * millisecond;
const heldMax = 2_800 * millisecond;
/** The others' entries come so much later still. */
const behind = 100 * millisecond;
/** Nobody but the old leader can ask for votes for so long. */
const muteFor = 800 * millisecond;
const catchUpMax = 40 * millisecond;

/** One plot at work. */
interface Plot {
  readonly n: number;
  readonly group: GroupId;
  readonly leader: NodeId;
  readonly witness: NodeId;
  readonly rest: readonly NodeId[];
  readonly until: Micros;
  readonly cuts: readonly Cut[];
  stage: "alone" | "deposed" | "cut" | "again" | "over";
  successor: NodeId | undefined;
}

/**
 * A leader and one witness are cut off from the others; the leader goes on appending, and what the witness answers is held up.
 * The others elect a successor, which has the old leader cut its tail and crashes; the old leader leads again, in another
 * term, and its entries reach too few. Then the witness's answers arrive: they tell of entries that are there no more.
 */
export function holdFormerAnswers(world: NemesisWorld, every: Every): void {
  let plot: Plot | undefined;
  if (world.nodes.length < 5) return;
  world.repeat("former-answers", every, (n) => {
    if (plot !== undefined && plot.stage !== "over") return;
    plot = begin(world, n);
  });
  world.watch(["role", "truncate", "commit"], (event) => {
    if (plot !== undefined && "group" in event && event.group === plot.group) goOn(world, plot, event);
  });
}

function begin(world: NemesisWorld, n: number): Plot | undefined {
  const name = "former-answers";
  const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
    const drawn = pick(world, { stream: `${name}.group`, key: n }, world.groups);
    const leads = drawn === undefined ? undefined : world.leaderOf(drawn);
    const who = pick(
      world,
      { stream: `${name}.who`, key: n },
      world.nodes.filter((node) => node !== leads),
    );
    return leads === undefined ? undefined : `${drawn} ${leads} ${who}`;
  });
  const [where, ...who] = value?.split(" ") ?? [];
  const group = world.groups.find((one) => one === where);
  const [leader, witness] = who.map((id) => nodeNamed(world, id));
  if (group === undefined || leader === undefined || witness === undefined) return undefined;
  const until =
    world.now() + within(world, { stream: `${name}.for`, key: n }, { low: heldMin, high: heldMax });
  const rest = world.nodes.filter((node) => node !== leader && node !== witness);
  world.clog(witness, leader, until, "control");
  const cuts = [world.cut([leader, witness], rest), world.cut(rest, [leader, witness])];
  const plot: Plot = {
    n,
    group,
    leader,
    witness,
    rest,
    until,
    cuts,
    stage: "alone",
    successor: undefined,
  };
  world.after(until - world.now() + 2 * behind, () => end(plot));
  return plot;
}

function end(plot: Plot): void {
  plot.stage = "over";
  for (const cut of plot.cuts) cut.heal();
}

function goOn(world: NemesisWorld, plot: Plot, event: TraceEvent): void {
  const { leader, rest } = plot;
  const leads = event.kind === "role" && event.role === "leader" ? event.node : undefined;
  if (plot.stage === "alone" && leads !== undefined && rest.includes(leads)) {
    plot.stage = "deposed";
    plot.successor = leads;
    for (const cut of plot.cuts) cut.heal();
  } else if (plot.stage === "deposed" && event.kind === "truncate" && event.node === leader) {
    plot.stage = "cut";
    const catchUp = within(
      world,
      { stream: "former-answers.catch", key: plot.n },
      { low: 0, high: catchUpMax },
    );
    world.after(catchUp, () => depose(world, plot));
  } else if (plot.stage === "cut" && leads === leader) plot.stage = "again";
  else if (plot.stage === "again" && event.kind === "commit" && event.leader && event.node === leader)
    starve(world, plot);
}

/** The successor crashes, and of the others only the old leader can ask for votes. */
function depose(world: NemesisWorld, { witness, rest, successor, stage }: Plot): void {
  if (stage !== "cut" || successor === undefined) return;
  if (world.isUp(successor)) world.crash(successor, { how: "kill", downFor: second });
  const mute = [...rest.filter((node) => node !== successor), witness];
  for (const from of mute) {
    for (const to of mute) if (from !== to) world.clog(from, to, world.now() + muteFor, "control");
  }
}

/** The old leader's entries reach one node less than make a majority with it, and not the witness. */
function starve(world: NemesisWorld, plot: Plot): void {
  plot.stage = "over";
  const { leader, witness, rest, successor, until } = plot;
  const confidants = rest.filter((node) => node !== successor).slice(0, majority(world.nodes.length) - 2);
  for (const to of [witness, ...rest]) {
    if (!confidants.includes(to)) world.clog(leader, to, until + behind, "bulk");
  }
}
