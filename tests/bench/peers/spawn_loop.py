"""A bare posix_spawn and wait loop: prints how many `true` a second."""
import os
import sys
import time

n = int(sys.argv[1])
start = time.monotonic()
for _ in range(n):
    os.waitpid(os.posix_spawnp("true", ["true"], os.environ), 0)
print(n / (time.monotonic() - start))
