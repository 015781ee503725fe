// Spec, and then the plain line that scripts and people look for, alone at the very end: `N passed, N failed`.
const { reporters } = require("mocha");

/** Why a test was left out: told through test/support/skip.ts, on the test or on a suite around it. */
function reasonOf(test) {
  for (let at = test; at; at = at.parent) if (at.skipReason) return at.skipReason;
  return "NO REASON GIVEN";
}

module.exports = class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    this.left = [];
    runner.on("pending", (test) => this.left.push(`${test.fullTitle()}: ${reasonOf(test)}`));
  }

  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    for (const line of this.left) process.stdout.write(`SKIPPED ${line}\n`);
    const skipped = pending > 0 ? `, ${pending} skipped` : "";
    process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`);
  }
};
