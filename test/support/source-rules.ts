import type { ParserOptions } from "@babel/parser";
import { parse } from "@babel/parser";

/** One hand-written source: its path from the project's root, with forward slashes, and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

interface Node {
  readonly type: string;
  readonly loc: { readonly start: { readonly line: number }; readonly end: { readonly line: number } };
  readonly [field: string]: unknown;
}

export const fileLinesMax = 400;
export const functionLinesMax = 70;

/** What a folder may import: prefixes of module paths from the root, and packages by name. The longest entry wins. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  "src/core/base/": ["src/core/base/"],
  "src/core/io/": ["src/core/io/", "src/core/base/"],
  "src/core/storage/": ["src/core/storage/", "src/core/base/", "src/core/io/"],
  "src/core/raft/": ["src/core/raft/", "src/core/base/", "src/core/io/"],
  "src/core/commitlog/": [
    "src/core/commitlog/",
    "src/core/base/",
    "src/core/io/",
    "src/core/raft/",
    "src/core/storage/",
  ],
  "src/core/client/": ["src/core/client/", "src/core/base/", "src/core/io/", "src/core/commitlog/"],
  "src/core/metadata/": [
    "src/core/metadata/",
    "src/core/base/",
    "src/core/io/",
    "src/core/raft/",
    "src/core/storage/",
  ],
  "src/core/ledger/": ["src/core/ledger/", "src/core/base/", "src/core/io/", "src/core/storage/"],
  "src/core/stream/": ["src/core/stream/", "src/core/base/", "src/core/io/", "src/core/ledger/"],
  "src/core/broker/": ["src/core/broker/", "src/core/base/", "src/core/io/", "src/core/commitlog/"],
  "src/core/node/": ["src/core/"],
  "src/sim/": ["src/sim/", "src/core/", "package:seedrandom"],
  "src/prod/": ["src/prod/", "src/core/", "package:"],
  "src/cli/": ["src/", "scenarios/", "package:"],
  "scenarios/": ["scenarios/", "src/core/", "src/sim/"],
};

const syncOnly = ["src/core/raft/", "src/core/storage/", "src/core/commitlog/", "src/core/node/"];
const pure = ["src/core/", "src/sim/", "scenarios/"];
const parserOptions: ParserOptions = { sourceType: "module", plugins: ["typescript"], errorRecovery: true };

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (const [field, value] of Object.entries(node)) {
    if (field === "loc" || field.endsWith("Comments")) continue;
    if (Array.isArray(value)) children.push(...value.filter(isNode));
    else if (isNode(value)) children.push(value);
  }
  return children;
}

/** Every node of the source, parents first. A fault of syntax throws: such a file proves nothing. */
function nodesOf(source: Source): Node[] {
  const dts = source.path.endsWith(".d.ts");
  const options: ParserOptions = dts
    ? { ...parserOptions, plugins: [["typescript", { dts }]] }
    : parserOptions;
  const all: Node[] = [];
  const open: Node[] = [parse(source.text, options).program as unknown as Node];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    all.push(node);
    open.push(...childrenOf(node).reverse());
  }
  return all;
}

function at(source: Source, node: Node): string {
  return `${source.path}:${node.loc.start.line}`;
}

function under(source: Source, folders: readonly string[]): boolean {
  return folders.some((folder) => source.path.startsWith(folder));
}

/** `src/core/raft/x.ts` for a module of ours, `package:name` or `package:node:name` for any other. */
function resolveSpecifier(from: string, specifier: string): string {
  if (specifier.startsWith(".")) return new URL(specifier, `file:///${from}`).pathname.slice(1);
  const own = /^#(core|sim|prod|cli|scenarios|bench)\/(.*)$/.exec(specifier);
  if (own === null) return `package:${specifier}`;
  const [, name = "", rest = ""] = own;
  return name === "scenarios" || name === "bench" ? `${name}/${rest}` : `src/${name}/${rest}`;
}

function specifierOf(node: Node): string | undefined {
  const call = node["callee"];
  const carrier =
    node.type === "CallExpression" && isNode(call) && call.type === "Import"
      ? (node["arguments"] as unknown[])[0]
      : (node["source"] ?? (node.type === "TSImportType" ? node["argument"] : undefined));
  if (!isNode(carrier)) return undefined;
  const literal = carrier.type === "TSLiteralType" ? carrier["literal"] : carrier;
  return isNode(literal) && typeof literal["value"] === "string" ? literal["value"] : undefined;
}

function allowed(target: string, list: readonly string[]): boolean {
  return list.some((entry) => {
    if (entry === "package:") return target.startsWith(entry);
    return entry.startsWith("package:") ? target === entry : target.startsWith(entry);
  });
}

/** Imports that leave the source's own corner of the architecture table. */
export function importViolations(source: Source): string[] {
  const folder = Object.keys(mayImport)
    .filter((prefix) => source.path.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  if (folder === undefined) {
    return source.path.startsWith("src/") ? [`${source.path}: its folder is missing in mayImport`] : [];
  }
  const list = mayImport[folder] ?? [];
  const found: string[] = [];
  for (const node of nodesOf(source)) {
    const specifier = specifierOf(node);
    if (specifier === undefined) continue;
    const target = resolveSpecifier(source.path, specifier);
    if (!allowed(target, list)) found.push(`${at(source, node)}: ${folder} may not import ${specifier}`);
    // Relative paths between roots do not hold in dist.
    const crossesRoots = specifier.startsWith(".") && target.split("/")[0] !== source.path.split("/")[0];
    const hashWithinRoot = specifier.startsWith("#") && target.split("/")[0] === source.path.split("/")[0];
    if (hashWithinRoot)
      found.push(`${at(source, node)}: within a root write a relative path, not ${specifier}`);
    if (crossesRoots) found.push(`${at(source, node)}: between roots write #..., not ${specifier}`);
  }
  return found;
}

function identifierOf(node: Node): string | undefined {
  if (node.type !== "Identifier") return undefined;
  return node["name"] as string;
}

/** Promises, and the words that make them, where only step machines and drivers may stand. */
export function asyncViolations(source: Source): string[] {
  if (!under(source, syncOnly)) return [];
  return nodesOf(source).flatMap((node) => {
    const name = identifierOf(node);
    const bad =
      node["async"] === true || node.type === "AwaitExpression" || node["await"] === true
        ? "async or await"
        : name === "Promise" || name === "PromiseLike"
          ? name
          : undefined;
    return bad === undefined ? [] : [`${at(source, node)}: ${bad} in a synchronous folder`];
  });
}

/** `Date`, `Math.random` and the inexact functions of Math, whose last bits differ between engines. */
export function chanceViolations(source: Source): string[] {
  if (!under(source, pure)) return [];
  const inexact = /^(random|pow|exp|expm1|log|log2|log10|log1p|sin|cos|tan|sinh|cosh|tanh|cbrt|hypot)$/;
  return nodesOf(source).flatMap((node) => {
    if (identifierOf(node) === "Date") return [`${at(source, node)}: Date`];
    if (node.type === "BinaryExpression" && node["operator"] === "**" && !bothLiteral(node)) {
      return [`${at(source, node)}: ** decides by an inexact power`];
    }
    if (node.type === "VariableDeclarator" && isNode(node["init"]) && identifierOf(node["init"]) === "Math") {
      return [`${at(source, node)}: write Math.name, so that its name can be checked`];
    }
    if (node.type !== "MemberExpression" || !isNode(node["object"]) || !isNode(node["property"])) return [];
    if (identifierOf(node["object"]) !== "Math") return [];
    const property = identifierOf(node["property"]) ?? String(node["property"]["value"]);
    return inexact.test(property) ? [`${at(source, node)}: Math.${property}`] : [];
  });
}

function bothLiteral(node: Node): boolean {
  return [node["left"], node["right"]].every((side) => isNode(side) && side.type.endsWith("Literal"));
}

/** What erasable TypeScript leaves out. (`any`, `!` and default exports are the linter's.) */
export function syntaxViolations(source: Source): string[] {
  const banned: Readonly<Record<string, string>> = {
    TSEnumDeclaration: "enum",
    TSParameterProperty: "parameter property",
    TSModuleDeclaration: "namespace",
  };
  return nodesOf(source).flatMap((node) => {
    const name = banned[node.type];
    return name === undefined ? [] : [`${at(source, node)}: ${name}`];
  });
}

function lineCount(text: string): number {
  return text.replace(/\n$/, "").split("\n").length;
}

export function fileSizeViolations(source: Source): string[] {
  const lines = lineCount(source.text);
  return lines > fileLinesMax ? [`${source.path}: ${lines} lines, at most ${fileLinesMax}`] : [];
}

/** Functions longer than a screen, signature and closing brace included. */
export function functionSizeViolations(source: Source): string[] {
  const isFunction =
    /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|ObjectMethod|Class(Private)?Method)$/;
  return nodesOf(source).flatMap((node) => {
    if (!isFunction.test(node.type)) return [];
    const lines = node.loc.end.line - node.loc.start.line + 1;
    return lines > functionLinesMax
      ? [`${at(source, node)}: a function of ${lines} lines, at most ${functionLinesMax}`]
      : [];
  });
}
