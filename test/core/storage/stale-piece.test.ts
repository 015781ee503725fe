import { expect } from "chai";
import { recordOf } from "#bench/storage/log-script";
import type { Entry } from "#core/base/entry";
import { endOf } from "#core/base/entry";
import { reopened } from "./damaged-log.ts";
import { flipRecord1, leaders, own, ownDisk } from "./two-logs.ts";

describe("a piece that was proven for a hole", () => {
  it("is not put into what a cut that waited before it has left of that hole", () => {
    const disk = ownDisk();
    flipRecord1(disk);
    const log = reopened(disk);
    expect(log.store.damage()).to.deep.equal([{ first: 1, last: 4 }]);
    // A peer had the node's own former log: its copies chained through the whole hole. Then a new leader's entry conflicts,
    // and the first piece comes.
    log.store.truncate(3, endOf(leaders[2] as Entry));
    log.store.append(leaders.slice(3));
    const piece = own[1] as Entry;
    let placed: boolean | undefined;
    log.store.mend(
      [piece],
      (_error, value) => {
        placed = value;
      },
      endOf(piece),
    );
    log.disk.run();
    expect(placed).to.equal(false);
    expect(log.store.damage()).to.deep.equal([{ first: 1, last: 2 }]);
    expect(log.mend(leaders.slice(1, 3)), "the leader's records fit").to.equal(true);
    expect(log.readAll().map(recordOf)).to.deep.equal(leaders.map(recordOf));
  });
});
