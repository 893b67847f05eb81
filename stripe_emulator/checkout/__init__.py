"""What a buyer does on the payment page, and its effects."""
