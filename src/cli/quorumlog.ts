#!/usr/bin/env node
process.stderr.write("quorumlog: no command is written yet\n");
process.exitCode = 1;
