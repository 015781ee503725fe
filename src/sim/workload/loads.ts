import { second } from "../../core/base/units.ts";
import type { WorkloadOptions } from "../scenario.ts";

/** Nothing is asked of the cluster. */
export const nothingAsked: WorkloadOptions = {
  clients: 0,
  appendsPerSecond: 0,
  getsPerSecond: 0,
  readIndexesPerSecond: 0,
  tails: 0,
  payloadBytesMin: 0,
  payloadBytesMax: 0,
  batchMax: 1,
};

/** What most scenarios ask of a cluster: mostly small appends, alone and in batches, beside every kind of read. */
export const ordinaryLoad: WorkloadOptions = {
  clients: 4,
  appendsPerSecond: 30,
  getsPerSecond: 4,
  readIndexesPerSecond: 4,
  tails: 1,
  payloadBytesMin: 16,
  payloadBytesMax: 200,
  batchMax: 6,
};

/** The same from clients that come and go, while operators move the leadership about. */
export const restlessLoad: WorkloadOptions = {
  ...ordinaryLoad,
  sessionSpan: 12 * second,
  transferEvery: 4 * second,
  burstEvery: 20 * second,
};
