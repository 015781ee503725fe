/** Another system under the same load: three servers on this machine, one client. */
export interface Peer {
  readonly name: string;
  /** The program that must be installed. */
  readonly program: string;
  /** What an acknowledgement of it means. */
  readonly note: string;
  start(directory: string): Promise<PeerRun>;
}

export interface PeerRun {
  /** Stores one payload, replicated; resolves when it is acknowledged. */
  append(payload: Uint8Array): Promise<void>;
  stop(): Promise<void>;
}
