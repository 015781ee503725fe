import { expect } from "chai";
import { TestLog } from "#bench/storage/log-script";
import { LogError } from "#core/base/errors";
import { makeLog, options } from "./damaged-log.ts";

describe("a log that is closed while more reads wait than run at a time", () => {
  it("answers each of them once", () => {
    const { disk, all } = makeLog();
    const log = new TestLog(disk, options);
    const answers = Array.from({ length: 40 }, () => [] as string[]);
    answers.forEach((told, n) => {
      log.store.read(n % all.length, { last: Number.MAX_SAFE_INTEGER, bytesMax: 1 }, (error) => {
        told.push(error instanceof LogError ? error.code : "read");
      });
    });
    log.store.close(() => undefined);
    log.disk.run();
    for (const told of answers) expect(told).to.have.length(1);
    expect(answers.flat()).to.include.members(["read", "stopping"]);
  });
});
