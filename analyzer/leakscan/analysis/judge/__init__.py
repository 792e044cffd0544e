"""Evidence as numbers to a verdict: one table of rules.

No path, no cut and no sentence is made here."""
