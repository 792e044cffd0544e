"""Shared fixtures. Drawn heaps are in tests/heaps.py."""

import signal

# A shell without job control starts what it puts in the background with Ctrl-C ignored, and so are all that
# the tests start: those that press it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Programs under test, some of which look like tests.
collect_ignore = ["cases"]
