"""The SQLite file: schema, transactions, the lock on it, the log of requests and activity."""
