/** One way an index was ever filled: the entry's term is its name, chainCrc and the term before it follow from Log Matching. */
interface Variant {
  readonly term: number;
  readonly chainCrc: number;
  readonly previousTerm: number;
}

/**
 * Every entry that any node of a group ever appended, by (index, term), also those that were cut again. The first node to
 * append one defines it. Most indexes are only ever filled once, so the first variant lives in plain arrays.
 */
export class EntryTable {
  private readonly terms: number[] = [];
  private readonly chainCrcs: number[] = [];
  private readonly previousTerms: number[] = [];
  private readonly others = new Map<number, Variant[]>();

  /** @returns the chainCrc of the entry of that index and term: the one given here if it is new. */
  note(index: number, term: number, chainCrc: number, previousTerm: number): number {
    if (index >= this.terms.length) {
      while (this.terms.length < index) this.push(-1, -1, -1);
      this.push(term, chainCrc, previousTerm);
      return chainCrc;
    }
    if (this.terms[index] === term) return this.chainCrcs[index] as number;
    return this.noteOther(index, { term, chainCrc, previousTerm });
  }

  /** @returns the chainCrc, or -1 when no node ever appended such an entry. */
  chainCrcAt(index: number, term: number): number {
    if (index < 0) return 0;
    if (this.terms[index] === term) return this.chainCrcs[index] as number;
    return this.other(index, term)?.chainCrc ?? -1;
  }

  /** @returns the term of the entry before it, or -1 when no node ever appended such an entry. */
  previousTermAt(index: number, term: number): number {
    if (this.terms[index] === term) return this.previousTerms[index] as number;
    return this.other(index, term)?.previousTerm ?? -1;
  }

  private push(term: number, chainCrc: number, previousTerm: number): void {
    this.terms.push(term);
    this.chainCrcs.push(chainCrc);
    this.previousTerms.push(previousTerm);
  }

  private noteOther(index: number, variant: Variant): number {
    const known = this.other(index, variant.term);
    if (known !== undefined) return known.chainCrc;
    const variants = this.others.get(index);
    if (variants === undefined) this.others.set(index, [variant]);
    else variants.push(variant);
    return variant.chainCrc;
  }

  private other(index: number, term: number): Variant | undefined {
    return this.others.get(index)?.find((variant) => variant.term === term);
  }
}
