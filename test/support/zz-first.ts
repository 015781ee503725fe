import { scenarios } from "#scenarios/index";
import { runSeed } from "#sim/run-seed";

const from = Number(process.argv[2] ?? 1),
  to = Number(process.argv[3] ?? 5);
const only = process.argv[4];
for (const s of scenarios) {
  if (only && s.name !== only) continue;
  const fails: string[] = [];
  let ms = 0,
    ev = 0,
    acked = 0;
  for (let seed = from; seed <= to; seed++) {
    const t = process.hrtime.bigint();
    const r = runSeed(s, seed, {});
    ms += Number(process.hrtime.bigint() - t) / 1e6;
    ev += r.events;
    acked += r.acked;
    if (r.verdict !== "pass")
      fails.push(`${seed}: ${r.verdict} ${JSON.stringify(r.violation)} nodes=${r.nodes} acked=${r.acked}`);
  }
  console.log(
    s.name,
    "fails",
    fails.length,
    "of",
    to - from + 1,
    "ms/seed",
    Math.round(ms / (to - from + 1)),
    "ev/s",
    Math.round((ev / ms) * 1000),
    "acked",
    acked,
    "ev",
    ev,
  );
  for (const f of fails.slice(0, 12)) console.log("  ", f.slice(0, 420));
}
