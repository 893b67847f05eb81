"""The rehearsal: faults caused on purpose on the emulator, and whether the shop held.

Only this package knows that an emulator serves as Stripe, and it uses it over HTTP only. The
storefront's pages import it; nothing else in the store does.
"""
