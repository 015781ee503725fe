// Packs the project, installs the package in an empty folder as users do, and runs the simulator, the command line and
// the client from there. Run by .ci/run: `node test/e2e/package-check.mjs`.
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-package-"));
const basePort = await freeBase();
const peers = [0, 1, 2].map((at) => `n${at}-127.0.0.1:${basePort + at}`).join(";");
const startMsMax = 20_000;

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Three free ports in a row, with those 1000 above; away from those of `npm start`. */
async function freeBase() {
  for (let base = 42_000 + (process.pid % 3_000) * 3; ; base = 42_000 + ((base + 3) % 9_000)) {
    const wanted = [0, 1, 2].flatMap((at) => [base + at, base + at + 1_000]);
    if ((await Promise.all(wanted.map(isFree))).every(Boolean)) return base;
  }
}

function run(what, file, args, options = {}) {
  const result = spawnSync(file, args, { encoding: "utf8", cwd: folder, ...options });
  if (result.status !== 0)
    throw new Error(`${what} ended with ${result.status}\n${result.stdout}\n${result.stderr}`);
  console.log(`ok: ${what}`);
  return result.stdout;
}

async function withCluster(work) {
  // Without npx between: npm ends by the signal that it passes on, whatever the exit code of its child.
  const program = path.join(folder, "node_modules/.bin/quorumlog");
  const child = spawn(program, ["start", "--base-port", String(basePort)], { cwd: folder });
  let said = "";
  child.stdout.on("data", (bytes) => {
    said += bytes;
  });
  child.stderr.on("data", (bytes) => {
    said += bytes;
  });
  try {
    const until = performance.now() + startMsMax;
    while (!said.includes("What to type next")) {
      if (performance.now() > until || child.exitCode !== null) throw new Error(`no three nodes:\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    console.log("ok: quorumlog start");
    work();
  } finally {
    child.kill("SIGTERM");
    await new Promise((resolve) => (child.exitCode !== null ? resolve() : child.once("exit", resolve)));
  }
  if (child.exitCode === 0) console.log("ok: quorumlog start ends cleanly");
  else throw new Error(`quorumlog start ended with ${child.exitCode}:\n${said}`);
}

const client = `
import { LogClient } from "quorumlog";
const client = new LogClient({ peers: ${JSON.stringify(peers)} });
const { index } = await client.append("from a package");
for await (const entry of client.tail({ from: index })) {
  console.log(new TextDecoder().decode(entry.data));
  break;
}
await client.close();
`;

try {
  const packed = run("npm pack", "npm", ["pack", "--json", "--pack-destination", folder, root], {
    cwd: root,
  });
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("[")));
  fs.writeFileSync(
    path.join(folder, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  run("npm install --omit=dev", "npm", ["install", "--omit=dev", "--no-audit", "--no-fund", `./${filename}`]);
  run("npx quorumlog sim", "npx", ["quorumlog", "sim", "--seed", "42", "--scenario", "failover"]);
  fs.writeFileSync(path.join(folder, "client.js"), client);
  fs.writeFileSync(
    path.join(folder, "sim.js"),
    'import * as sim from "quorumlog/sim";\nif (Object.keys(sim).length === 0) process.exit(1);\n',
  );
  run('import "quorumlog/sim"', process.execPath, ["sim.js"]);
  fs.writeFileSync(
    path.join(folder, "server.js"),
    'import { loadConfig, QuorumServer } from "quorumlog/server";\nif (!loadConfig || !QuorumServer) process.exit(1);\n',
  );
  run('import "quorumlog/server"', process.execPath, ["server.js"]);
  await withCluster(() => {
    run("npx quorumlog log append", "npx", [
      "quorumlog",
      "log",
      "append",
      "--data",
      "hello",
      "--peers",
      peers,
    ]);
    run("npx quorumlog log status", "npx", ["quorumlog", "log", "status", "--peers", peers]);
    const said = run('import { LogClient } from "quorumlog"', process.execPath, ["client.js"]);
    if (said !== "from a package\n") throw new Error(`the client read ${JSON.stringify(said)}`);
  });
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
