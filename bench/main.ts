process.stderr.write("bench: no benchmark is written yet\n");
process.exitCode = 1;
