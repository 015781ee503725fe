interface Skippable {
  title: string;
  readonly parent?: Skippable | undefined;
  type?: string;
}

/**
 * Leaves a test (or, from a `before` hook, its whole suite) out, and says why at the end of the run: the reason becomes part
 * of the title, which is what a worker of mocha tells its reporter.
 * Usage: `it("...", function () { if (!chromium) skipLoudly(this, "no browser on this machine"); ... })`.
 */
export function skipLoudly(context: Mocha.Context, reason: string): never {
  const runnable = context.runnable() as Skippable;
  const wholeSuite = runnable.type === "hook" && runnable.title.startsWith('"before all"');
  const target = wholeSuite ? runnable.parent : (context.currentTest as Skippable | undefined);
  const left = target ?? runnable;
  left.title = `${left.title} (left out: ${reason})`;
  return context.skip();
}
