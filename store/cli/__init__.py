"""`python -m store`: set-up, checks, the supervisor of three processes, commands."""
