"""The claims of the documents about the session maps and the native leak."""

from __future__ import annotations

from leakscan.wording import rate_text, size_text
from seeds_page_maps import DOCUMENT_BYTES, DOCUMENT_ENTRIES, Maps
from seeds_page_native import STANDS_STILL, Native
from seeds_said import Judged, Said
from seeds_text import held_by

LAYERS = "[layers](session-maps.md#which-layer-is-enough)"
GROWTH = "[growth](session-maps.md#growth-per-round)"
TAKES = "[in use](session-maps.md#what-each-layer-takes-from-sessions-in-use)"
SERVER = "[server](native-server.md#the-server)"
KINDS = "[kinds](native-server.md#each-kind-of-growth-alone)"


def maps_document(maps: Maps) -> list[Said]:
    cells = {ending["target"].rpartition(":")[2]: by_layer for ending, by_layer in maps}
    lost = cells["lost"]
    never_sent = ("failing", "abandoned", "idle", "waiting")
    entries = [size_text(DOCUMENT_ENTRIES * each) for each in DOCUMENT_BYTES]
    return [
        Said(
            "Maps that clean up on `session.deleted` only are the cause",
            Judged.RIGHT,
            f"{rate_text(lost['none'].per_run('SessionAgent'))} session per round, held by "
            f"{held_by(lost['none'])}",
            LAYERS,
            lost["none"].is_leak and not cells["delivered"]["none"].is_leak,
        ),
        Said(
            "The event is unreliable on one platform, hence the leak",
            Judged.PARTLY,
            f"Four more endings leak wherever the event works: {', '.join(never_sent)}",
            LAYERS,
            all(cells[name]["none"].is_leak for name in never_sent),
        ),
        Said(
            "600 to 800 MB per round, 3 to 4 GB after 4 or 5",
            Judged.OPEN,
            f"One session per round fits it; here a session is {size_text(lost['none'].bytes_per_run)}",
            GROWTH,
        ),
        Said(
            "Earlier fixes relied on the same events, and could not help",
            Judged.RIGHT,
            "The map without a layer has the event, and leaks",
            LAYERS,
            lost["none"].is_leak,
        ),
        Said(
            "Layer 1, time to live, works when events fail",
            Judged.RIGHT,
            f"{lost['ttl'].findings.verdict}; but not for a session whose coroutine waits",
            LAYERS,
            not lost["ttl"].is_leak and cells["waiting"]["ttl"].is_leak,
        ),
        Said(
            "Layer 2, the bound, prevents runaway growth",
            Judged.PARTLY,
            f"In entries: {lost['lru'].findings.verdict}. 1 000 entries of that size are "
            f"{' to '.join(entries)}",
            GROWTH,
            not lost["lru"].is_leak,
        ),
        Said(
            "Layer 3, the event, if it works",
            Judged.RIGHT,
            "Enough for sessions that end well, and for no other",
            LAYERS,
            not cells["delivered"]["none"].is_leak,
        ),
        Said(
            "Layer 4, clean-up at exit, is a final safeguard",
            Judged.WRONG,
            "It frees nothing before the end, and then all is freed",
            LAYERS,
            lost["at_exit"].is_leak,
        ),
        Said(
            "Explicit clean-up in `finally`",
            Judged.PARTLY,
            "Enough for all that end, lost event or not; an idle session does not come to it",
            LAYERS,
            not lost["in_finally"].is_leak and cells["idle"]["in_finally"].is_leak,
        ),
        Said(
            "All layers together work without relying on events",
            Judged.PARTLY,
            "For all endings but the conversation that waits; and they take sessions in use",
            TAKES,
            cells["waiting"]["all"].is_leak and not cells["idle"]["all"].is_leak,
        ),
        Said(
            "After the fix 50 to 100 MB per round",
            Judged.WRONG,
            "0 per round, or no change",
            GROWTH,
            lost["none"].is_leak and not lost["all"].is_leak,
        ),
        Said(
            "Twenty rounds and more, on the platform", Judged.PARTLY, "Twenty; the platform is a bus", LAYERS
        ),
        Said("Audit all maps for the pattern", Judged.RIGHT, "leakscan names the map and the line", GROWTH),
    ]


def native_document(native: Native) -> list[Said]:
    cells = {scenario["target"].rpartition(":")[2]: cell for scenario, cell in native}

    def rss(name: str) -> float:
        return cells[name].grew("rss_bytes")

    forgets = rss("request_forgets")
    return [
        Said(
            "It is native memory, not the heap",
            Judged.RIGHT,
            f"Modelled: RSS grows by {size_text(forgets)} per request, and no object",
            SERVER,
            not cells["request_forgets"].findings.leaks and forgets > STANDS_STILL,
        ),
        Said(
            "Collecting garbage shows a normal heap and does not help",
            Judged.RIGHT,
            "A full collection runs after each request here; the slope stays",
            SERVER,
            forgets > STANDS_STILL,
        ),
        Said(
            "Cause 1: result buffers of the driver that are not released",
            Judged.OPEN,
            "It fits: malloc's own figures grow and the heap's do not",
            SERVER,
            cells["request_forgets"].grew("malloc_mapped_bytes") > STANDS_STILL,
        ),
        Said(
            "Cause 1: the pool maintains large result buffers",
            Judged.PARTLY,
            f"Up to its size, then {size_text(max(0, rss('request_pooled')))} per request",
            SERVER,
            abs(rss("request_pooled")) < STANDS_STILL,
        ),
        Said(
            "Cause 2: timers hold native allocations",
            Judged.OPEN,
            f"It fits as well: {size_text(rss('request_timers'))} per request, and the heap cannot see it",
            SERVER,
            rss("request_timers") > STANDS_STILL and not cells["request_timers"].is_leak,
        ),
        Said(
            "Cause 2: large context objects, 1 MB of JSON",
            Judged.WRONG,
            "That is heap, and the heap was flat",
            KINDS,
            cells["large_bytes"].is_leak,
        ),
        Said("Cause 3: threads contend, and cannot free", Judged.OPEN, "Not modelled", SERVER),
        Said(
            "Fragmentation: allocations that are not coalesced",
            Judged.OPEN,
            f"It fits in part: {size_text(rss('request_fragments'))} per request, of which malloc_trim "
            f"leaves {size_text(rss('request_fragments_trim'))}",
            SERVER,
            rss("request_fragments_trim") < rss("request_fragments") / 5,
        ),
        Said(
            "49 227 regions, chunks of 64 MB",
            Judged.OPEN,
            "Mappings and arenas of threads are told apart by figures: `mapping`, `thread_arenas`",
            KINDS,
        ),
        Said(
            "More munmap than mmap calls show a cycle of reallocation",
            Judged.OPEN,
            "In those five seconds more was unmapped than mapped: no growth",
            KINDS,
        ),
        Said(
            "Contributing: the session map grows without bound",
            Judged.WRONG,
            "That is heap, and the heap was flat",
            KINDS,
            cells["small_objects"].is_leak,
        ),
        Said(
            "Immediately: reduce the pool from 20 to 3",
            Judged.WRONG,
            f"One connection forgets {size_text(rss('request_forgets_small'))} per request, four "
            f"{size_text(forgets)}",
            SERVER,
            abs(rss("request_forgets_small") - forgets) < STANDS_STILL,
        ),
        Said(
            "A circuit breaker that cleans up when RSS passes 500 MB",
            Judged.WRONG,
            "As a clean-up: what C has forgotten nobody can free. As a threshold that restarts: right",
            SERVER,
            forgets > STANDS_STILL,
        ),
        Said(
            "Restart every 1 000 thoughts",
            Judged.PARTLY,
            f"Bounds it at {size_text(1_000 * forgets)} of {size_text(forgets)} each; memory is the "
            "better limit",
            SERVER,
        ),
        Said(
            "Kill it by `ps`, `pgrep` and `awk` when it is too large",
            Judged.WRONG,
            "It kills whatever has the name; `leakscan watch` acts on one PID and start time",
            SERVER,
        ),
        Said(
            "Tools for the heap are not enough; watch the system's figures",
            Judged.RIGHT,
            "Each kind of growth moves a figure of its own",
            KINDS,
        ),
    ]
