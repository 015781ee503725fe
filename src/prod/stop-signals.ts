import { exitCodes } from "./exit-codes.ts";

export type StopSignal = "SIGINT" | "SIGTERM";

/** How a process ends that one of them did not let end in order. */
export const stopExitCodes: { readonly [signal in StopSignal]: number } = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: exitCodes.terminated,
};

/** Signals closer together than this are one: a terminal sends Ctrl-C to npm and to its child, and npm passes it on. */
const sameSignalMs = 500;

/**
 * Calls `listener` when the user asks to stop (Ctrl-C, SIGTERM), and once more with `again` for each further time: whoever
 * asks twice does not want to wait.
 * @returns what ends it.
 */
export function onStopSignal(listener: (signal: StopSignal, again: boolean) => void): () => void {
  let firstAt: number | undefined;
  const heard = (signal: StopSignal): void => {
    const now = performance.now();
    if (firstAt !== undefined && now <= firstAt + sameSignalMs) return;
    const again = firstAt !== undefined;
    firstAt ??= now;
    listener(signal, again);
  };
  process.on("SIGINT", heard);
  process.on("SIGTERM", heard);
  return () => {
    process.removeListener("SIGINT", heard);
    process.removeListener("SIGTERM", heard);
  };
}
