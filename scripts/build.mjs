// Compiles the project to dist when, and only when, a source differs from what the last good build saw.
// One build at a time: a second caller waits for the first. Everything is said on stderr; stdout stays data.
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const buildDir = path.join(root, "dist/.build");
const stampPath = path.join(buildDir, "stamp.json");
const lockPath = path.join(buildDir, "lock");
const lockHeartbeatMs = 1_000;
const lockSilenceMsMax = 15_000;
const lockPollMs = 50;

/** Where each source folder's output lies under dist. */
const outputs = { "src/": "", "scenarios/": "scenarios/", "bench/": "bench/", "examples/": "examples/" };
const rootInputs = [
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "tsconfig.base.json",
  "scripts/build.mjs",
];

const say = (text) => process.stderr.write(`build: ${text}\n`);

/** Every input as `path -> "mtime:size"`, in a fixed order. */
function inputs() {
  const found = {};
  const add = (name) => {
    const stat = fs.statSync(path.join(root, name), { throwIfNoEntry: false });
    if (stat?.isFile()) found[name] = `${stat.mtimeMs}:${stat.size}`;
  };
  const walk = (folder) => {
    const full = path.join(root, folder);
    if (!fs.existsSync(full)) return;
    for (const item of fs.readdirSync(full, { withFileTypes: true })) {
      const name = `${folder}${item.name}`;
      if (item.isDirectory()) walk(`${name}/`);
      else if (/\.(ts|proto|json)$/.test(name)) add(name);
    }
  };
  for (const name of rootInputs) add(name);
  for (const folder of Object.keys(outputs)) walk(folder);
  return found;
}

function outputBase(name) {
  const folder = Object.keys(outputs).find((prefix) => name.startsWith(prefix));
  return folder === undefined
    ? undefined
    : path.join(root, "dist", outputs[folder], name.slice(folder.length));
}

/** The files that one input leaves in dist. */
function outputsOf(name) {
  const base = outputBase(name);
  if (base === undefined || name.endsWith(".d.ts") || name.endsWith(".json")) return [];
  if (name.endsWith(".proto")) return [base];
  const stem = base.slice(0, -".ts".length);
  return [`${stem}.js`, `${stem}.js.map`, `${stem}.d.ts`];
}

function readStamp() {
  try {
    return JSON.parse(fs.readFileSync(stampPath, "utf8"));
  } catch {
    return undefined; // None yet, or torn by a crash: either way a build is due.
  }
}

const isComplete = (name) => outputsOf(name).every((file) => fs.existsSync(file));

function upToDate(now) {
  const stamp = readStamp();
  const names = Object.keys(now);
  if (stamp?.good !== true || Object.keys(stamp.inputs).length !== names.length) return false;
  return names.every((name) => stamp.inputs[name] === now[name] && isComplete(name));
}

/** The inputs that dist was made from. A stamp that is not good was written before a build that did not finish well. */
function writeStamp(good, now) {
  fs.writeFileSync(`${stampPath}.new`, JSON.stringify({ good, inputs: now }));
  fs.renameSync(`${stampPath}.new`, stampPath);
}

function ownerIsAlive(owner) {
  const stat = fs.statSync(lockPath, { throwIfNoEntry: false });
  if (stat === undefined || Date.now() - stat.mtimeMs > lockSilenceMsMax) return false;
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Takes the lock whole (a hard link appears with its content) or returns the pid that holds it. */
function tryLock() {
  const mine = `${lockPath}.${process.pid}`;
  fs.writeFileSync(mine, String(process.pid));
  try {
    fs.linkSync(mine, lockPath);
    return undefined;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    try {
      return Number(fs.readFileSync(lockPath, "utf8"));
    } catch {
      return 0; // Released between the two calls.
    }
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

/** Moves a dead owner's lock aside; whatever was moved by mistake (a new owner's) is put back. */
function breakLock(owner) {
  const aside = `${lockPath}.stale.${process.pid}`;
  try {
    fs.renameSync(lockPath, aside);
    if (Number(fs.readFileSync(aside, "utf8")) !== owner) fs.linkSync(aside, lockPath);
    else say(`broke the lock of process ${owner}, which is gone`);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  } finally {
    fs.rmSync(aside, { force: true });
  }
}

async function withLock(work) {
  fs.mkdirSync(buildDir, { recursive: true });
  for (let told = false; ; ) {
    const owner = tryLock();
    if (owner === undefined) break;
    if (owner > 0 && !ownerIsAlive(owner)) breakLock(owner);
    else if (!told) {
      say(`waiting for the build of process ${owner}`);
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, lockPollMs));
  }
  const release = () => fs.rmSync(lockPath, { force: true });
  const heartbeat = setInterval(() => {
    const now = new Date();
    fs.utimes(lockPath, now, now, () => {}); // A lock that vanished needs no heartbeat.
  }, lockHeartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    release();
  }
}

function compile(force) {
  const tsc = path.join(root, "node_modules/typescript/bin/tsc");
  if (!fs.existsSync(tsc)) {
    say("typescript is not installed: run `npm ci` first");
    return Promise.resolve(1);
  }
  const child = spawn(process.execPath, [tsc, "--build", ...(force ? ["--force"] : [])], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** What the compiler does not do: the protocol definitions, and the program's mode. */
function finish(now) {
  for (const name of Object.keys(now).filter((input) => input.endsWith(".proto"))) {
    const [target] = outputsOf(name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(root, name), target);
  }
  const program = path.join(root, "dist/cli/quorumlog.js");
  if (fs.existsSync(program)) fs.chmodSync(program, 0o755);
}

/** Removes from dist what no source stands behind any more, so a deleted module cannot be imported by accident. */
function sweep(now) {
  const wanted = new Set(Object.keys(now).flatMap(outputsOf));
  const walk = (folder) => {
    for (const item of fs.readdirSync(folder, { withFileTypes: true })) {
      const full = path.join(folder, item.name);
      if (full === buildDir) continue;
      if (item.isDirectory()) {
        walk(full);
        if (fs.readdirSync(full).length === 0) fs.rmdirSync(full);
      } else if (!wanted.has(full)) fs.rmSync(full);
    }
  };
  walk(path.join(root, "dist"));
}

async function build() {
  const now = inputs();
  if (upToDate(now)) return 0;
  const started = Date.now();
  // The compiler trusts its own notes: only force makes it write again what somebody deleted.
  const last = readStamp()?.inputs ?? {};
  const force = Object.keys(now).some((name) => last[name] === now[name] && !isComplete(name));
  writeStamp(false, now);
  sweep(now);
  const code = await compile(force);
  if (code !== 0) {
    say("failed");
    return code;
  }
  finish(now);
  writeStamp(true, now);
  say(`done in ${Date.now() - started} ms`);
  return 0;
}

process.exitCode = upToDate(inputs()) ? 0 : await withLock(build);
