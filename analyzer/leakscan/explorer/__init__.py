"""A heap to walk through in a browser: pages made on this machine, for this machine only.

What is known of the heap (`looking`), the pages (`pages`, templates), and the door (`server`). The command
`leakscan open` joins them."""
