"""Read-only views of orders: pages, timeline, charge summary, sales, search and CSV."""
