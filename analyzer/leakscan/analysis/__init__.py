"""From heaps to findings: pure functions, no printing, no files.

The whole way is `diff.diff`: which objects are new (`births`), what one line of the program fills (`slots`),
what keeps each new object alive (`causes`), the verdict on it (`judge`; `judge/rules.py` is its table),
what to cut (`cuts`), and the dataclasses that say so (`results`). One snapshot alone is `one_snapshot`, one
object `objects`.

Rooms stand one above the other (`results` lowest, `capsule` highest; pyproject.toml has the list) and import
only downwards. How an answer is asked for is in `answers`, how it is written in `report`."""
