/**
 * A planted bug: an edit of one source file, kept beside the sources so that these stay clean. A simulator that cannot tell
 * the mutated program from the good one would not find that bug in earnest either.
 */
export interface Mutant {
  readonly name: string;
  /** What part of the protocol it breaks; every one of the catalogue's says so. */
  readonly area?: string;
  /** Relative to the root of the repository, with `/`. */
  readonly file: string;
  /** Text that stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The rule that the edit breaks, as a sentence. */
  readonly breaks: string;
  /** Where the bug was seen, or the rule is written. */
  readonly source: string;
  /** The scenario that is tried first. */
  readonly scenario?: string;
}

const namePattern = /^[a-z0-9][a-z0-9-]{0,63}$/;
const filePattern = /^(src|scenarios)\/[A-Za-z0-9][A-Za-z0-9._/-]*\.ts$/;

/** @returns the mutant, or the sentence that says what is wrong with the text. */
export function parseMutant(text: string): Mutant | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "it is not JSON";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "it is not a JSON object";
  const fields = value as Readonly<Record<string, unknown>>;
  for (const key of ["name", "file", "find", "replace", "breaks", "source"])
    if (typeof fields[key] !== "string") return `"${key}" must be a text`;
  for (const key of ["area", "scenario"])
    if (fields[key] !== undefined && typeof fields[key] !== "string")
      return `"${key}" must be a text, or be left out`;
  const mutant = value as Mutant;
  if (!namePattern.test(mutant.name)) return '"name" must consist of lower-case letters, digits and hyphens';
  if (!filePattern.test(mutant.file) || mutant.file.includes(".."))
    return '"file" must be a TypeScript source under src or scenarios, relative to the root of the repository';
  if (mutant.find === "") return '"find" must not be empty';
  return mutant;
}

/** @returns the edited text, or undefined when `find` does not match exactly once. */
export function applyMutant(mutant: Mutant, text: string): string | undefined {
  const at = text.indexOf(mutant.find);
  if (at < 0 || text.indexOf(mutant.find, at + 1) >= 0) return undefined;
  return text.slice(0, at) + mutant.replace + text.slice(at + mutant.find.length);
}

/** How often the text is found, overlapping matches too. */
export function matches(mutant: Mutant, text: string): number {
  let count = 0;
  for (let at = text.indexOf(mutant.find); at >= 0; at = text.indexOf(mutant.find, at + 1)) count += 1;
  return count;
}
