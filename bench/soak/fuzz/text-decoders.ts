import * as fs from "node:fs";
import * as path from "node:path";
import fc from "fast-check";
import { loadConfig } from "#prod/config";
import { configKeys } from "#prod/config-keys";
import { checkedPeers } from "#prod/peer-list";
import type { Decoder } from "./decoder.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const peerList: fc.Arbitrary<string> = fc
  .array(
    fc.record({
      id: fc.constantFrom("n0", "n1", "n2", "a.b_C"),
      host: fc.constantFrom("127.0.0.1", "localhost", "[::1]", "host.example"),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((peers) => peers.map(({ id, host, port }) => `${id}-${host}:${port}`).join(";"));

const peers: Decoder = {
  name: "peer-list",
  valid: peerList.map(utf8),
  words: [
    ";",
    "-",
    ":",
    "n0-",
    "[",
    "]",
    "[::1]:",
    "65536",
    "0",
    "n0-h:1;",
    "\n",
    "é",
    "\u0000",
    ";;",
    " ",
  ].map(utf8),
  decode: (input) => checkedPeers(new TextDecoder().decode(input)),
  codes: ["bad-configuration"],
};

const values: readonly string[] = [
  "",
  "0",
  "1",
  "-1",
  "1e9",
  "00000000000000009",
  "99999999999999999999",
  "true",
  "false",
];
const odd: readonly string[] = [
  "\\",
  "\\u00",
  "\\ud800",
  "\\u0000",
  "=",
  ":",
  "#",
  "!",
  "\n",
  "\r",
  "\t",
  "\u0000",
  "\ufeff",
  "é",
  " = ",
];

const aLine: fc.Arbitrary<string> = fc
  .record({
    key: fc.constantFrom(...configKeys),
    value: fc.oneof(fc.constantFrom(...values), fc.nat().map(String)),
  })
  .map(({ key, value }) => `${key.key}=${key.fallback ?? value}`);

/** A file that is read whole, as the program reads it: through a file. */
function configFile(folder: string): Decoder {
  const file = path.join(folder, "fuzz.conf");
  return {
    name: "configuration",
    valid: fc
      .record({
        voters: fc.constantFrom(1, 3, 5),
        self: fc.constantFrom("n0", "n1"),
        lines: fc.array(aLine, { maxLength: 4 }),
      })
      .map(({ voters, self, lines }) => {
        const list = Array.from({ length: voters }, (_, n) => `n${n}-127.0.0.1:${40_911 + n}`).join(";");
        const own = voters > 1 ? self : "n0";
        return utf8([...lines, `dLegerPeers=${list}`, `dLegerSelfId=${own}`, ""].join("\n"));
      }),
    words: [
      ...configKeys.map(({ key }) => utf8(`\n${key}=`)),
      ...[...values, ...odd].map(utf8),
      utf8("\nunknownKey=1\n"),
      utf8(`\ndLegerPeers=n0-127.0.0.1:1\ndLegerSelfId=n0\n`),
    ],
    decode: (input) => {
      fs.writeFileSync(file, input);
      return loadConfig({ file, environment: {}, flags: {} });
    },
    codes: ["bad-configuration"],
    // All keys are checked, whatever the file has.
    allocationBytes: 2 * 1_024 * 1_024,
  };
}

/** @param folder exists; a file is written there again and again, so it had better not be on a disk. */
export function textDecoders(folder: string): readonly Decoder[] {
  return [configFile(folder), peers];
}
