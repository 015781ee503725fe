import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { directoryFault, makeDirectories } from "#prod/directory";
import { skipLoudly } from "../support/skip.ts";

describe("a directory of the user's choosing", () => {
  let root: string;
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-directory-"));
  });
  afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

  const codeOf = (directory: string): string | undefined => {
    try {
      makeDirectories(directory);
      return undefined;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  };

  it("is made with its parents, and may be there already", () => {
    const wanted = path.join(root, "a/b/c");
    makeDirectories(wanted);
    makeDirectories(wanted);
    expect(fs.statSync(wanted).isDirectory()).to.equal(true);
  });

  it("is refused where a file stands, or above it", () => {
    const file = path.join(root, "file");
    fs.writeFileSync(file, "x");
    expect(codeOf(file)).to.equal("EEXIST");
    expect(codeOf(path.join(file, "a/b"))).to.equal("EEXIST");
  });

  it("is refused at once where the file system makes nothing: Node's own `recursive` never ends there", function () {
    if (process.platform !== "linux") skipLoudly(this, "only Linux has a /proc");
    expect(codeOf("/proc/nope")).to.equal("ENOENT");
    expect(codeOf("/proc/nope/further/down")).to.equal("ENOENT");
  });

  it("is a fault of the configuration that names key, path, origin and what to do, unless the disk is at fault", () => {
    const setting = { value: "/proc/nope", origin: "flag --data" };
    const error = (code: string): NodeJS.ErrnoException =>
      Object.assign(new Error(`${code}: as the host says`), { code, path: "/proc/nope" });
    const fault = directoryFault(setting, error("ENOENT"));
    expect(fault?.code).to.equal("bad-configuration");
    expect(fault?.message).to.match(
      /^storePathRootDir is "\/proc\/nope" \(flag --data\).*nothing can be made in \/proc; name a directory that/,
    );
    expect(directoryFault(setting, error("EACCES"))?.message).to.contain("this user may not write");
    expect(directoryFault(setting, error("EROFS"))?.message).to.contain("read-only");
    for (const code of ["ENOSPC", "EDQUOT", "EIO"])
      expect(directoryFault(setting, error(code)), code).to.equal(undefined);
    expect(directoryFault(setting, new Error("no fault of a file system"))).to.equal(undefined);
  });
});
