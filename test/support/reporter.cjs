// Spec, and then the plain line that scripts and people look for, alone at the very end: `N passed, N failed`.
const { reporters } = require("mocha");

/** Why a test was left out stands in its title, or in that of a suite around it: see test/support/skip.ts. */
function told(test) {
  const title = test.fullTitle();
  return title.includes("(left out: ") ? title : `${title}: NO REASON GIVEN`;
}

module.exports = class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    this.left = [];
    runner.on("pending", (test) => this.left.push(told(test)));
  }

  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    for (const line of this.left) process.stdout.write(`SKIPPED ${line}\n`);
    const skipped = pending > 0 ? `, ${pending} skipped` : "";
    process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`);
  }
};
