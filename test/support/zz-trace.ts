import { scenarios } from "#scenarios/index";
import { runSeed } from "#sim/run-seed";

const s = scenarios.find((x) => x.name === process.argv[2])!;
const filter = new RegExp(process.argv[4] ?? ".");
const r = runSeed(s, Number(process.argv[3]), {
  listener: (e) => {
    const ev: any = e.event;
    const o: any = { ...ev };
    if (o.entries) {
      const f = o.entries[0],
        l = o.entries[o.entries.length - 1];
      o.entries = `${f.index}..${l.index} t${f.term}..${l.term} crc${l.chainCrc}`;
    }
    const line = e.at + " " + JSON.stringify(o);
    if (filter.test(line)) console.log(line);
  },
});
console.log(r.verdict, JSON.stringify(r.violation));
