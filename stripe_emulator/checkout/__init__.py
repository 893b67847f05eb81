"""What a buyer does on the payment page, and what comes of it."""
