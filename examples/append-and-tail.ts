// Appends ten entries to the log that `npm start` runs, and reads them back as they are committed.
//   npm start                                       (in one terminal)
//   node dist/examples/append-and-tail.js           (in another; QUORUMLOG_PEERS names other nodes)
import { LogClient, LogError } from "quorumlog";

const peers = process.env["QUORUMLOG_PEERS"];
let client: LogClient | undefined;
const deadline = AbortSignal.timeout(30_000);

try {
  client = new LogClient({ name: "append-and-tail", ...(peers === undefined ? {} : { peers }) });
  const log = client;
  const first = await log.append("entry 0", { signal: deadline });
  console.log(`entry 0 is committed at index ${first.index} of term ${first.term}`);

  // Appends in flight together share disk writes; awaiting them all keeps the producer at the log's pace.
  const others = Array.from({ length: 9 }, (_, i) => log.append(`entry ${i + 1}`, { signal: deadline }));

  let seen = 0;
  for await (const entry of log.tail({ from: first.index, signal: deadline })) {
    console.log(`${entry.index} ${new TextDecoder().decode(entry.data)}`);
    seen += 1;
    if (seen === 10) break;
  }
  await Promise.all(others);
} catch (error) {
  // Codes are the interface, texts are for people. `retry` says whether the same call may be made again.
  if (!(error instanceof LogError)) throw error;
  console.error(`${error.code} (retry: ${error.retry}): ${error.message}`);
  process.exitCode = 1;
} finally {
  await client?.close();
}
