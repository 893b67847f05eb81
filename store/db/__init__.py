"""The engine, the models (tables), bulk SQL, leases, backups and migrations."""
