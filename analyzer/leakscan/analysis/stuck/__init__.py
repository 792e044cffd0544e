"""Which tasks and threads of a snapshot wait for something that nobody can do any more.

Here: who waits (`actors`), what can wake (`wakers`), the fixpoint (`fixpoint`), and the leaks that are
made of those who never wake (`in_leaks`).
Not here: how it is written (`report`), and waits of other runtimes.
"""
