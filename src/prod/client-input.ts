import type { GroupId, NodeId } from "../core/base/brand.ts";
import { groupId, nodeId } from "../core/base/brand.ts";
import { LogError } from "../core/base/errors.ts";
import type { TlsOptions } from "./tls-options.ts";

// Programs without types call the library too: what they give is looked at, and what is wrong is a fault with a code.

/** @throws LogError index-out-of-range. */
export function checkedIndex(index: number): number {
  if (Number.isSafeInteger(index) && index >= 0) return index;
  throw new LogError("index-out-of-range", `not an index: ${shown(index)} (allowed: a whole number from 0)`);
}

/** @throws LogError bad-configuration. */
export function checkedGroup(text: string): GroupId {
  checkedText("group", text);
  try {
    return groupId(text);
  } catch {
    throw new LogError(
      "bad-configuration",
      `group is ${shown(text)}; allowed: letters, digits, ".", "_", "-"`,
    );
  }
}

/** @throws LogError unknown-node: what is no id at all is the id of no node. */
export function checkedNode(text: string): NodeId {
  try {
    return nodeId(text);
  } catch {
    throw new LogError(
      "unknown-node",
      `no node has the id ${shown(text)} (allowed: letters, digits, ".", "_")`,
    );
  }
}

/** Entries are copied behind each other into pieces of this size: a buffer for each would be the garbage of a busy client. */
const pieceBytes = 256 * 1_024;
/** Larger ones get a buffer of their own. */
const sharedBytesMax = 16 * 1_024;

/** Copies of what is to be appended, since a retry sends it again, whatever the caller does with its buffer meanwhile. */
export class EntryCopies {
  private readonly encoder = new TextEncoder();
  private piece = new Uint8Array(0);
  private used = 0;

  /**
   * A copy of an entry as bytes.
   * @throws LogError bad-configuration: whatever else has a length would be appended as that many zeros, and half a
   *   character as another one.
   */
  of(data: Uint8Array | string): Uint8Array {
    if (typeof data === "string") return this.encoder.encode(checkedUnicode(data));
    if (!(data instanceof Uint8Array))
      throw new LogError(
        "bad-configuration",
        `an entry is ${kindOf(data)}; allowed: a string or a Uint8Array`,
      );
    if (data.length > sharedBytesMax) return new Uint8Array(data);
    if (this.used + data.length > this.piece.length) {
      this.piece = new Uint8Array(pieceBytes);
      this.used = 0;
    }
    const copy = this.piece.subarray(this.used, this.used + data.length);
    copy.set(data);
    this.used += data.length;
    return copy;
  }

  /** @throws LogError bad-configuration. */
  ofAll(batch: readonly (Uint8Array | string)[]): readonly Uint8Array[] {
    if (Array.isArray(batch)) return batch.map((data) => this.of(data));
    throw new LogError("bad-configuration", `the entries are ${kindOf(batch)}; allowed: an array of them`);
  }
}

/** Of engines that this package runs on; the compiler's library is older. */
type Text = string & { isWellFormed(): boolean };

function checkedUnicode(text: string): string {
  if ((text as Text).isWellFormed()) return text;
  throw new LogError(
    "bad-configuration",
    "an entry is text with a lone surrogate, which UTF-8 cannot hold; allowed: well-formed text, or bytes",
  );
}

const timeoutMsMax = 2 ** 31;

/** @throws LogError bad-configuration unless the time is above 0. */
export function checkedTimeoutMs(timeoutMs: number): number {
  if (typeof timeoutMs === "number" && timeoutMs > 0) return Math.min(timeoutMs, timeoutMsMax);
  throw new LogError("bad-configuration", `timeoutMs is ${shown(timeoutMs)}; it must be above 0`);
}

/** @throws LogError bad-configuration: a "false" must not switch anything on. */
export function checkedSwitch(value: boolean, what = "readOnly"): boolean {
  if (typeof value === "boolean") return value;
  throw new LogError("bad-configuration", `${what} is ${shown(value)}; allowed: true or false`);
}

/** @throws LogError bad-configuration. */
export function checkedObject<T extends object>(what: string, value: T): T {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new LogError("bad-configuration", `${what} is ${kindOf(value)}; allowed: an object`);
}

/** @throws LogError bad-configuration. */
export function checkedText(what: string, value: string): string {
  if (typeof value === "string") return value;
  throw new LogError("bad-configuration", `${what} is ${kindOf(value)}; allowed: a string`);
}

/** @throws LogError bad-configuration: what is no signal would never end the call. */
export function checkedSignal(options: { readonly signal?: AbortSignal }): AbortSignal | undefined {
  const { signal } = checkedObject("options", options);
  // One of another realm, or a library's own, is no instance of this one's class.
  if (signal === undefined || typeof (signal as AbortSignal | null)?.addEventListener === "function")
    return signal;
  throw new LogError("bad-configuration", `signal is ${kindOf(signal)}; allowed: an AbortSignal`);
}

/** @throws LogError bad-configuration. */
export function checkedTls(tls: TlsOptions | undefined): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  const { ca, cert, key } = checkedObject("tls", tls);
  for (const [name, value] of Object.entries({ ca, cert, key })) {
    if (typeof value === "string" || value instanceof Uint8Array) continue;
    if (value === undefined && name !== "ca") continue;
    const allowed = "the path of a PEM file, or its bytes";
    throw new LogError("bad-configuration", `tls.${name} is ${kindOf(value)}; allowed: ${allowed}`);
  }
  return tls;
}

/** `undefined`, or `of type Uint16Array`. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return `of type ${Object.prototype.toString.call(value).slice("[object ".length, -1)}`;
}

/** A value as a message may hold it, whatever it is. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
