import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { cpuSecondsOf } from "../support/process-stats.ts";
import { Children, freePorts, isInstalled, persist } from "../support/processes.ts";
import type { Load, Peer, PeerRun, Timed } from "./peer.ts";

const group = "bench";
const sampleMs = 100;

/**
 * Three processes of DLedger with its default settings, and its own Java client.
 * @param sources the folder with `DledgerNode.java`, `DledgerLoad.java` and the Maven project that fetches DLedger.
 */
export function dledger(sources: string): Peer {
  let classPath: string | undefined;
  return {
    name: "DLedger, 3 nodes",
    note: "before it is synced",
    missing: () => {
      for (const program of ["java", "mvn"]) {
        if (!isInstalled(program)) return `${program} is not installed`;
      }
      if (!fs.existsSync(path.join(sources, "DledgerLoad.java")))
        return `no DledgerLoad.java in ${sources} (--dledger DIR names the folder)`;
      classPath = fetchClassPath(sources);
      return classPath === undefined ? "mvn could not fetch DLedger" : undefined;
    },
    start: (directory) => start(sources, classPath ?? "", directory),
  };
}

function fetchClassPath(sources: string): string | undefined {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-dledger-"));
  try {
    const file = path.join(directory, "class-path");
    const args = ["-q", "-f", path.join(sources, "pom.xml"), "dependency:build-classpath"];
    const { status } = spawnSync("mvn", [...args, `-Dmdep.outputFile=${file}`], { stdio: "ignore" });
    return status === 0 ? fs.readFileSync(file, "utf8").trim() : undefined;
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function start(sources: string, classPath: string, directory: string): Promise<PeerRun> {
  const children = new Children();
  const ports = await freePorts(3);
  const peers = ports.map((port, at) => `n${at}-127.0.0.1:${port}`).join(";");
  const java = ["-cp", classPath];
  for (const at of ports.keys()) {
    const program = path.join(sources, "DledgerNode.java");
    children.start("java", ["-Xmx512m", ...java, program, group, `n${at}`, peers, directory], "ignore");
  }
  const load = (of: Load): Promise<Timed> => {
    const program = path.join(sources, "DledgerLoad.java");
    const what = [of.seconds, of.inFlight, of.bytes].map(String);
    return run(["-Xmx1g", ...java, program, group, peers, ...what], of.seconds, children.pids);
  };
  try {
    // Its client gives up when it finds no leader; the first election takes a while.
    await persist("DLedger", () => load({ bytes: 128, inFlight: 1, seconds: 1 }), 40_000);
  } catch (error) {
    await children.stop();
    throw error;
  }
  return { drive: load, stop: () => children.stop() };
}

/** What the client prints, and the processors' time of the last `seconds` before it did. */
async function run(args: readonly string[], seconds: number, pids: readonly number[]): Promise<Timed> {
  const child = spawn("java", [...args], { stdio: ["ignore", "pipe", "ignore"] });
  const all = [...pids, child.pid ?? 0];
  const samples: number[][] = [];
  const timer = setInterval(() => samples.push(all.map((pid) => cpuSecondsOf(pid) ?? 0)), sampleMs);
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  clearInterval(timer);
  const told = JSON.parse(text) as { acked_per_s: number; p50_ms: number; p99_ms: number };
  const last = samples.at(-1) ?? [];
  const first = samples.at(-1 - Math.round((seconds * 1_000) / sampleMs)) ?? last;
  const appends = Math.max(1, told.acked_per_s * seconds);
  const micros = last.map((cpu, at) => Math.round(((cpu - (first[at] ?? 0)) * 1_000_000) / appends));
  return {
    perSecond: told.acked_per_s,
    p50Ms: told.p50_ms,
    p99Ms: told.p99_ms,
    nodeCpuMicros: micros.slice(0, -1),
    loadCpuMicros: micros.at(-1) ?? 0,
  };
}
