/** Control characters, and those that turn text around, as escapes: what others say comes to terminals and logs. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  const hidden = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
  const short: { readonly [char: string]: string } = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  return text.replace(
    hidden,
    (char) => short[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
