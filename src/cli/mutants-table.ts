import type { MutantsReport } from "../sim/mutant/result.ts";
import { columns, rowOf } from "../sim/mutant/result.ts";

/** The report as a Markdown table, which reads well on a terminal too, and a line of counts. */
export function tableOf(report: MutantsReport): string {
  const rows = [columns, ...report.mutants.map(rowOf)];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const [head, ...body] = rows.map(line);
  return [head, rule, ...body, "", `${report.found} found, ${report.survived} survived`].join("\n");
}
