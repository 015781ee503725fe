import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { LogFile } from "#prod/log-file";

describe("a node's log file", () => {
  let file: string;
  beforeEach(() => {
    file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-log-")), "n0.log");
  });
  afterEach(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }));
  const text = (name = file): string => fs.readFileSync(name, "utf8");

  it("is left alone until it is opened, and then has what was said before", () => {
    fs.writeFileSync(file, "of another\n");
    const log = new LogFile(file);
    log.write("early\n");
    expect(text()).to.equal("of another\n");
    log.open();
    log.write("late\n");
    expect(text()).to.equal("of another\nearly\nlate\n");
  });

  it("never grows beyond its limit, and one old one is kept", () => {
    const log = new LogFile(file, 20);
    log.open();
    for (let line = 0; line < 10; line++) log.write(`line ${line} of ten\n`);
    expect([text(`${file}.1`), text()]).to.deep.equal(["line 8 of ten\n", "line 9 of ten\n"]);
    expect(fs.readdirSync(path.dirname(file))).to.have.members(["n0.log", "n0.log.1"]);
  });

  it("does not end its node when it takes nothing", () => {
    const log = new LogFile(file, 10);
    log.open();
    fs.rmSync(path.dirname(file), { recursive: true });
    log.write("0123456789");
    log.write("0123456789");
  });
});
