import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { projectRoot } from "./sources.ts";

/** Every package that users install with quorumlog. A new name is a decision: add it here, with the reason in the commit. */
const productionPackages: readonly string[] = [
  "@colors/colors",
  "@grpc/grpc-js",
  "@grpc/proto-loader",
  "@js-sdsl/ordered-map",
  "@opentelemetry/api",
  "@pinojs/redact",
  "@protobufjs/aspromise",
  "@protobufjs/base64",
  "@protobufjs/codegen",
  "@protobufjs/eventemitter",
  "@protobufjs/fetch",
  "@protobufjs/float",
  "@protobufjs/path",
  "@protobufjs/pool",
  "@protobufjs/utf8",
  "@types/node",
  "ansi-regex",
  "ansi-styles",
  "async",
  "atomic-sleep",
  "bintrees",
  "cli-progress",
  "cli-table3",
  "cliui",
  "color-convert",
  "color-name",
  "commander",
  "emoji-regex",
  "escalade",
  "get-caller-file",
  "is-fullwidth-code-point",
  "lodash.camelcase",
  "long",
  "node-zookeeper-client",
  "on-exit-leak-free",
  "picocolors",
  "pino",
  "pino-abstract-transport",
  "pino-std-serializers",
  "process-warning",
  "prom-client",
  "properties-file",
  "protobufjs",
  "quick-format-unescaped",
  "real-require",
  "require-directory",
  "safe-stable-stringify",
  "seedrandom",
  "sonic-boom",
  "split2",
  "string-width",
  "strip-ansi",
  "tdigest",
  "thread-stream",
  "underscore",
  "undici-types",
  "wrap-ansi",
  "y18n",
  "yargs",
  "yargs-parser",
  "zod",
];

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly resolved?: string;
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** Names of the locked packages that are not for development only, sorted, each once. */
function productionNames(lock: Lock): string[] {
  const marker = "node_modules/";
  const names = Object.entries(lock.packages)
    .filter(([place, entry]) => place !== "" && entry.dev !== true)
    .map(([place]) => place.slice(place.lastIndexOf(marker) + marker.length));
  return [...new Set(names)].sort();
}

function unexpected(lock: Lock): string[] {
  return productionNames(lock).filter((name) => !productionPackages.includes(name));
}

function readJson<Shape>(name: string): Shape {
  return JSON.parse(fs.readFileSync(path.join(projectRoot, name), "utf8")) as Shape;
}

describe("dependencies", () => {
  const lock = readJson<Lock>("package-lock.json");

  it("the production tree holds no package that was not decided on", () => {
    expect(unexpected(lock)).to.deep.equal([]);
  });

  it("the list of decided packages names none that is gone", () => {
    const names = productionNames(lock);
    expect(productionPackages.filter((name) => !names.includes(name))).to.deep.equal([]);
  });

  it("fails when a package is planted in the production tree, and not for a development one", () => {
    const planted = { "node_modules/a/node_modules/left-pad": {}, "node_modules/only-dev": { dev: true } };
    expect(unexpected({ packages: { ...lock.packages, ...planted } })).to.deep.equal(["left-pad"]);
  });

  it("every direct dependency is pinned to one exact version", () => {
    const { dependencies, devDependencies } =
      readJson<Record<"dependencies" | "devDependencies", Record<string, string>>>("package.json");
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).to.deep.equal([]);
  });

  it("the lockfile names no registry host", () => {
    const named = Object.values(lock.packages).filter((entry) => entry.resolved !== undefined);
    expect(named).to.deep.equal([]);
  });
});
