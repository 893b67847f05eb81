"""The pages: payment page, receipts, dashboard."""
