"""A process with little address space left and few descriptors: the snapshot may fail, the process not."""

from __future__ import annotations

import resource

from ground import FOLDER

from leakscan.errors import RecordError
from leakscan.record.snapshot import snapshot

kept = [{"number": number} for number in range(200_000)]
outcomes = []
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
for spare in (0, 1 << 20, 8 << 20, 32 << 20):
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, resource.RLIM_INFINITY))
    try:
        snapshot(FOLDER / f"{spare}.heap")
        outcomes.append("written")
    except (RecordError, MemoryError) as error:
        outcomes.append(type(error).__name__)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
snapshot(FOLDER / "after.heap")
assert kept[-1]["number"] == 199_999
print(*outcomes)
