"""What every page of the shop shares: static files, fonts, and the first HTML of a page."""
