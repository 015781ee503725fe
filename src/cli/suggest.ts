/** Changes of one letter (insert, remove, replace, swap neighbours) that make `b` of `a`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      next.push(best);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The candidate that was probably meant; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    const name = candidate.toLowerCase();
    // The last part of a dotted path, or the start of a name, is often all that one remembers.
    const partial = lower.length >= 3 && (name.startsWith(lower) || name.endsWith(`.${lower}`));
    const distance = partial ? 1 : editDistance(lower, name);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean x?`, or what there is. */
export function meant(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  const all = candidates.length <= 12 ? ` There are: ${candidates.join(", ")}.` : "";
  return near === undefined ? all : ` Did you mean ${near}?${all}`;
}
