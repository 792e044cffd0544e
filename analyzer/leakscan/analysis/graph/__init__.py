"""The heap as a graph: kernels over flat arrays, what is alive, which part the runs could free.

Knows references and modules; knows nothing of births, leaks or words."""
