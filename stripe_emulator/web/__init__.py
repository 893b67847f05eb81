"""The pages people see: the payment page, receipts, the dashboard."""
