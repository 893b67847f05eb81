"""What all pages share: HTML, formatting, texts, cookies, ASGI middleware and static files."""
