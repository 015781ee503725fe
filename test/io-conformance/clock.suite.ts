import { expect } from "chai";
import type { IoWorld, MakeIoWorld } from "./world.ts";

/** The contract of `core/io/clock.ts`. */
export function clockSuite(make: MakeIoWorld): void {
  describe("clock", () => {
    let world: IoWorld;
    beforeEach(async () => {
      world = await make();
    });
    afterEach(() => world.dispose());

    it("fires a timer once, in a turn of its own and never before its deadline", async () => {
      const { clock } = world.host;
      const fired: number[] = [];
      const deadline = clock.monotonic() + 5_000;
      clock.at(deadline, () => fired.push(clock.monotonic()));
      expect(fired).to.deep.equal([]);
      await world.settle(() => fired.length > 0);
      await world.pass(10_000);
      expect(fired).to.have.length(1);
      expect(fired[0]).to.be.at.least(deadline);
    });

    it("fires timers in the order of deadline, then of arming", async () => {
      const { clock } = world.host;
      const order: string[] = [];
      const soon = clock.monotonic() + 3_000;
      clock.at(soon + 2, () => order.push("later"));
      clock.at(soon, () => order.push("first armed"));
      clock.at(soon, () => order.push("second armed"));
      clock.at(soon - 1, () => order.push("earliest"));
      await world.settle(() => order.length === 4);
      expect(order).to.deep.equal(["earliest", "first armed", "second armed", "later"]);
    });

    it("fires a timer whose deadline has passed already", async () => {
      const { clock } = world.host;
      let fired = false;
      clock.at(clock.monotonic() - 1_000, () => {
        fired = true;
      });
      expect(fired).to.equal(false);
      await world.settle(() => fired);
    });

    it("never fires a cancelled timer, even when it is due in the same turn", async () => {
      const { clock } = world.host;
      const order: string[] = [];
      const at = clock.monotonic() + 2_000;
      clock.at(at, () => {
        order.push("one");
        other.cancel();
        other.cancel();
      });
      const other = clock.at(at, () => order.push("cancelled"));
      const gone = clock.at(at + 1, () => order.push("gone"));
      gone.cancel();
      clock.at(at + 2, () => order.push("last"));
      await world.settle(() => order.includes("last"));
      expect(order).to.deep.equal(["one", "last"]);
    });

    it("keeps monotonic and wall time the same for the whole of a turn", async () => {
      const { clock } = world.host;
      let same: boolean | undefined;
      clock.at(clock.monotonic() + 1_000, () => {
        const [monotonic, wall] = [clock.monotonic(), clock.wall()];
        let work = 0;
        for (let i = 0; i < 200_000; i++) work = (work + i) | 0;
        same = work !== 1.5 && clock.monotonic() === monotonic && clock.wall() === wall;
      });
      await world.settle(() => same !== undefined);
      expect(same).to.equal(true);
    });

    it("counts whole microseconds forwards", async () => {
      const { clock } = world.host;
      const seen: number[] = [];
      // Each is set by the one before: timers that fall due together on a busy machine share a turn, and so its time.
      const next = (): void => {
        clock.at(clock.monotonic() + 1_000, () => {
          if (seen.push(clock.monotonic()) < 5) next();
        });
      };
      next();
      await world.settle(() => seen.length === 5);
      for (const [i, at] of seen.entries()) {
        expect(Number.isSafeInteger(at)).to.equal(true);
        if (i > 0) expect(at).to.be.greaterThan(seen[i - 1] as number);
      }
    });

    it("calls `soon` after the present turn, in order, and before time that is far off", async () => {
      const { clock } = world.host;
      const order: string[] = [];
      clock.at(clock.monotonic() + 60_000, () => order.push("timer"));
      clock.soon(() => order.push("first"));
      clock.soon(() => order.push("second"));
      expect(order).to.deep.equal([]);
      await world.settle(() => order.length === 3);
      expect(order).to.deep.equal(["first", "second", "timer"]);
    });
  });
}
