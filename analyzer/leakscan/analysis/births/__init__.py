"""Which objects are new, and since which run.

One answer for births of the recorder, ids of V8 and bare addresses."""
