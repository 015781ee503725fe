import { majority } from "../base/quorum.ts";
import type { RaftState } from "./state.ts";

/** As leader: whether enough voters have room for entries that a majority could hold them. */
export function majorityHasRoom(s: RaftState): boolean {
  let withRoom = s.intake === "full" ? 0 : 1;
  for (const progress of s.progress.values()) if (progress.intake !== "full") withRoom += 1;
  return withRoom >= majority(s.voters.length);
}
