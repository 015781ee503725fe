import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { quorumlog } from "../e2e/support/run.ts";

describe("quorumlog certs", () => {
  let directory: string;
  before(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-certs-"));
    expect((await certs()).code).to.equal(0);
  });
  after(() => fs.rmSync(directory, { recursive: true, force: true }));

  const certs = (...args: readonly string[]) =>
    quorumlog(["certs", "--out", path.join(directory, "certs"), ...args]);

  it("does not report a role or host that a kept certificate does not have", async () => {
    const role = await certs("--client", "writer=read");
    expect([role.code, role.stdout.toString()]).to.deep.equal([78, ""]);
    expect(role.stderr).to.match(
      /bad-configuration\n.*is of "writer" \(append\), not of "writer" \(read\).*--renew/,
    );
    const json = await certs("--client", "writer=read", "--json");
    expect(json.stderr).to.match(
      /\n\{"error":\{"code":"bad-configuration","retry":"never","message":".*"\}\}\n$/,
    );
    const host = await certs("--peers", "n0-10.0.0.1:40911");
    expect(host.code).to.equal(78);
    expect(host.stderr).to.match(/n0\.pem is not for 10\.0\.0\.1/);
    expect((await certs("--client", "writer=read", "--renew")).code).to.equal(0);
    expect((await certs("--client", "writer=read")).code).to.equal(0);
  });

  it("refuses names given twice, names of others' files, and what is no host", async () => {
    const wrong: readonly [args: readonly string[], told: RegExp][] = [
      [["--client", "a=read", "--client", "a=admin"], /a is given twice/],
      [["--client", "x=read", "--client", "x-key=admin"], /no client is called x-key/],
      [["--peers", "n0-a:1;n0-b:2"], /n0 is given twice/],
      [["--host", "::zz"], /::zz is neither a host name nor an address/],
      [["--host", ":"], /neither a host name nor an address/],
      [["--host", "300.1.1.1"], /300\.1\.1\.1 is neither/],
      [["--peers", "n0-[::zz]:1"], /::zz is neither/],
    ];
    await Promise.all(
      wrong.map(async ([args, told]) => {
        const ran = await certs(...args);
        expect(ran.code, args.join(" ")).to.equal(64);
        expect(ran.stderr).to.match(told);
      }),
    );
  });
});
