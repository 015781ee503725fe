/** One load: so many requests of one size under way for so long. */
export interface Load {
  readonly bytes: number;
  readonly inFlight: number;
  readonly seconds: number;
}

/** What a load came to. */
export interface Timed {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor microseconds an append, of each process of the system; the leader's first where it is known. */
  readonly nodeCpuMicros: readonly number[];
  /** The same of the program that makes the load. */
  readonly loadCpuMicros: number;
  /** Times that the leader made entries durable, where the system tells. */
  readonly syncsPerSecond?: number;
  readonly appendsPerSync?: number;
}

/** Another system under the same load: three servers on this machine, one client, which talks to the leader. */
export interface Peer {
  readonly name: string;
  /** What an acknowledgement of it means. */
  readonly note: string;
  /** Why it cannot run here; undefined when it can. */
  missing(): string | undefined;
  start(directory: string): Promise<PeerRun>;
}

export interface PeerRun {
  drive(load: Load): Promise<Timed>;
  stop(): Promise<void>;
}
