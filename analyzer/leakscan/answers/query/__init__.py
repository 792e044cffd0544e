"""A heap as tables that SQL is asked of: what the tables are, how they are filled, and the engine.

DuckDB comes with the extra `query` and is imported when a question is asked; nothing else here needs it."""
