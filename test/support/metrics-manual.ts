import * as fs from "node:fs";
import * as path from "node:path";
import { projectRoot } from "./sources.ts";

export interface DescribedMetric {
  readonly name: string;
  readonly type: string;
  /** Undefined where nothing was counted yet, so that no sample shows them. */
  readonly labels: readonly string[] | undefined;
}

/** The rows of docs/METRICS.md, sorted. */
export function metricsOfManual(): DescribedMetric[] {
  const manual = fs.readFileSync(path.join(projectRoot, "docs/METRICS.md"), "utf8");
  const rows = [...manual.matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\|/gm)];
  return sorted(
    rows.map(([, name = "", type = "", labels = ""]) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = ""]) => label),
    })),
  );
}

/** What a page in Prometheus' text format serves, sorted. */
export function metricsOfPage(page: string): DescribedMetric[] {
  const types = [...page.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  return sorted(
    types.map(([, name = "", type = ""]) => {
      const sample = new RegExp(`^${name}(?:_bucket)?(?:\\{([^}]*)\\})? `, "m").exec(page);
      const labels = [...(sample?.[1] ?? "").matchAll(/(\w+)="/g)].map(([, label = ""]) => label);
      return { name, type, labels: sample === null ? undefined : labels };
    }),
  );
}

function sorted(metrics: DescribedMetric[]): DescribedMetric[] {
  return metrics.sort((a, b) => (a.name < b.name ? -1 : 1));
}
