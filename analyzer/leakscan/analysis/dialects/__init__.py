"""How a reference reads, is written and is matched: Python and V8.

No judging: text in, references out, and back."""
