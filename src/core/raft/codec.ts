import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { viewOf } from "../base/bytes.ts";
import type { Entry } from "../base/entry.ts";
import { decodeEntry, endOf, recordHeaderBytes, recordParts } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { AppendEntries, HeartbeatResult, Message, PreVote, PreVoteResult } from "./message.ts";

/** A message begins with its kind; numbers are never reused. The frame around it carries version and group. */
const kinds: { readonly [type in Message["type"]]: number } = {
  "pre-vote": 1,
  "pre-vote-result": 2,
  "request-vote": 3,
  "request-vote-result": 4,
  "append-entries": 5,
  "append-entries-result": 6,
  heartbeat: 7,
  "heartbeat-result": 8,
  "timeout-now": 9,
  "read-index": 10,
  "read-index-result": 11,
};

const intakes: readonly HeartbeatResult["intake"][] = [undefined, "read-only", "full"];

const noRecords: readonly Uint8Array[] = [];

export function encodeMessage(w: ByteWriter, m: Message): void {
  for (const records of encodeHead(w, m)) w.raw(records);
}

/**
 * Writes a message but for its records.
 * @returns the records, which stand behind it, as pieces that never change: what carries them need not copy them.
 */
export function encodeHead(w: ByteWriter, m: Message): readonly Uint8Array[] {
  w.u8(kinds[m.type]).u64(m.term);
  switch (m.type) {
    case "append-entries":
      return encodeAppendEntries(w, m);
    case "append-entries-result":
      w.u8(flag(m.accepted)).index(m.matchIndex).index(m.rejectedIndex).index(m.hintIndex).u64(m.hintTerm);
      return noRecords;
    case "heartbeat":
      w.index(m.commitIndex).u64(m.round);
      return noRecords;
    case "heartbeat-result":
      w.u64(m.round).index(m.matchIndex).u8(intakes.indexOf(m.intake));
      return noRecords;
    case "pre-vote":
      w.index(m.lastIndex)
        .u64(m.lastTerm)
        .u8(flag(m.yields === true));
      return noRecords;
    case "request-vote":
      w.index(m.lastIndex).u64(m.lastTerm).u8(flag(m.transfer));
      return noRecords;
    case "pre-vote-result":
      w.u8(flag(m.granted)).u8(flag(m.objects === true));
      return noRecords;
    case "request-vote-result":
      w.u8(flag(m.granted));
      return noRecords;
    case "timeout-now":
      return noRecords;
    case "read-index":
      w.u64(m.request);
      return noRecords;
    case "read-index-result":
      w.u64(m.request).index(m.index);
      return noRecords;
  }
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

function encodeAppendEntries(w: ByteWriter, m: AppendEntries): readonly Uint8Array[] {
  const { entries } = m;
  const last = entries[entries.length - 1];
  w.index(m.prevIndex).u64(m.prevTerm).u32(m.prevChainCrc).u64(m.prevPos).index(m.commitIndex);
  w.u32(entries.length).u32(last === undefined ? 0 : last.pos + last.size - m.prevPos);
  return recordParts(entries);
}

/**
 * Reads one message. The entries of an AppendEntries are views into the reader's buffer, which belongs to the message
 * from here on. Bytes behind the message are left to the caller.
 * @throws LogError malformed-frame for anything that `encodeMessage` does not write.
 */
export function decodeMessage(r: ByteReader): Message {
  const kind = r.u8();
  const term = r.u64();
  switch (kind) {
    case kinds["append-entries"]:
      return decodeAppendEntries(r, term);
    case kinds["append-entries-result"]: {
      const accepted = r.flag();
      const matchIndex = r.index();
      const rejectedIndex = r.index();
      const hintIndex = r.index();
      return {
        type: "append-entries-result",
        term,
        accepted,
        matchIndex,
        rejectedIndex,
        hintIndex,
        hintTerm: r.u64(),
      };
    }
    case kinds.heartbeat:
      return { type: "heartbeat", term, commitIndex: r.index(), round: r.u64() };
    case kinds["heartbeat-result"]:
      return decodeHeartbeatResult(r, term);
    case kinds["pre-vote"]: {
      const asked: PreVote = { type: "pre-vote", term, lastIndex: r.index(), lastTerm: r.u64() };
      return r.flag() ? { ...asked, yields: true } : asked;
    }
    case kinds["request-vote"]:
      return { type: "request-vote", term, lastIndex: r.index(), lastTerm: r.u64(), transfer: r.flag() };
    case kinds["pre-vote-result"]: {
      const answer: PreVoteResult = { type: "pre-vote-result", term, granted: r.flag() };
      return r.flag() ? { ...answer, objects: true } : answer;
    }
    case kinds["request-vote-result"]:
      return { type: "request-vote-result", term, granted: r.flag() };
    case kinds["timeout-now"]:
      return { type: "timeout-now", term };
    case kinds["read-index"]:
      return { type: "read-index", term, request: r.u64() };
    case kinds["read-index-result"]:
      return { type: "read-index-result", term, request: r.u64(), index: r.index() };
    default:
      throw malformed(`no Raft message is of kind ${kind}`);
  }
}

function decodeHeartbeatResult(r: ByteReader, term: number): HeartbeatResult {
  const answer: HeartbeatResult = { type: "heartbeat-result", term, round: r.u64(), matchIndex: r.index() };
  const number = r.u8();
  if (number >= intakes.length) throw malformed(`a follower cannot be in state ${number}`);
  const intake = intakes[number];
  return intake === undefined ? answer : { ...answer, intake };
}

function malformed(message: string): LogError {
  return new LogError("malformed-frame", message);
}

function decodeAppendEntries(r: ByteReader, term: number): AppendEntries {
  const prevIndex = r.index();
  const prevTerm = r.u64();
  const prevChainCrc = r.u32();
  const prevPos = r.u64();
  const commitIndex = r.index();
  const count = r.u32();
  const bytes = r.u32();
  if (prevIndex === -1 && (prevTerm !== 0 || prevChainCrc !== 0 || prevPos !== 0)) {
    throw malformed("nothing stands before the first entry");
  }
  if (count > Math.floor(bytes / recordHeaderBytes)) throw malformed(`${count} entries in ${bytes} bytes`);
  const start = r.skip(bytes);
  const limit = start + bytes;
  const view = count > 1 ? viewOf(r.buffer) : undefined;
  const entries: Entry[] = [];
  let at = start;
  let end = { index: prevIndex, term: prevTerm, chainCrc: prevChainCrc, pos: prevPos };
  for (let i = 0; i < count; i++) {
    const entry = decodeEntry(r.buffer, at, limit, end, view);
    if (typeof entry === "string") throw malformed(`entry ${i} of AppendEntries: ${entry}`);
    entries.push(entry);
    at += entry.size;
    end = endOf(entry);
  }
  if (at !== limit) throw malformed(`${limit - at} bytes behind the last entry`);
  if (end.term > term) throw malformed("an entry of a later term than its leader's");
  return { type: "append-entries", term, prevIndex, prevTerm, prevChainCrc, prevPos, commitIndex, entries };
}
