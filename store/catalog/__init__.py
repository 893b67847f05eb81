"""The products on sale: reading, editing, seeding, and their images."""
