import type { Done } from "#core/base/task";
import type { Clock } from "#core/io/clock";
import type { Disk } from "#core/io/disk";
import type { Address, Network } from "#core/io/network";

/** One process of a world, with its ports. The suites know nothing else, so both worlds pass the same tests. */
export interface IoHost {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly network: Network;
}

export interface IoWorld {
  readonly host: IoHost;
  /** Another process with its own ports; its disk is the same directory as the host's. */
  readonly other: IoHost;
  /** Where the host may listen. */
  readonly address: Address;
  /** An address where nobody listens. */
  readonly silentAddress: Address;
  /** Lets the world go on until `until` holds. Rejects when it does not within a few seconds of the world's time. */
  settle(until: () => boolean): Promise<void>;
  /** Lets the world's time pass. */
  pass(micros: number): Promise<void>;
  dispose(): Promise<void>;
}

export type MakeIoWorld = () => Promise<IoWorld>;

/** Waits for one slow call, and checks that it did not complete inside the call. */
export async function completes<T>(world: IoWorld, call: (done: Done<T>) => void): Promise<T> {
  let outcome: { error: Error | undefined; value: T } | undefined;
  let inside = true;
  let early = false;
  let times = 0;
  call((error, value) => {
    early = inside;
    times += 1;
    outcome = { error, value };
  });
  inside = false;
  await world.settle(() => outcome !== undefined);
  if (early) throw new Error("completed inside the call");
  if (times !== 1) throw new Error(`completed ${times} times`);
  const { error, value } = outcome as unknown as { error: Error | undefined; value: T };
  if (error !== undefined) throw error;
  return value;
}

/** The error of a slow call that must fail. */
export async function fails<T>(
  world: IoWorld,
  call: (done: Done<T>) => void,
): Promise<Error & { code?: string }> {
  try {
    await completes(world, call);
  } catch (error) {
    return error as Error;
  }
  throw new Error("the call should have failed");
}
