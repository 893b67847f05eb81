"""The SQLite file: schema, transactions, its lock, the request log and timelines."""
