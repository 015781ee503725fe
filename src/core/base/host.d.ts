/**
 * The only two things core takes from its host besides the language itself. Everything else (timers, sockets, files,
 * clocks, chance) comes in through the ports of core/io.
 */
interface TextEncoder {
  /** UTF-8 bytes of the text; lone surrogates become U+FFFD. */
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, destination: Uint8Array): { read: number; written: number };
}
declare var TextEncoder: { new (): TextEncoder };

interface TextDecoder {
  /** @throws TypeError on malformed UTF-8 when the decoder was made with `fatal: true`. */
  decode(bytes?: Uint8Array): string;
}
declare var TextDecoder: {
  new (label?: "utf-8", options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};
