"""The rehearsal: troubles made on purpose, and whether the shop held; for demos on the emulator.

Only this package knows that an emulator stands in Stripe's place, and it speaks to it over HTTP.
Nothing else in the store imports it; the pages do.
"""
