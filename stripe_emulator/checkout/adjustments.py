"""What a buyer chooses about the total of an open session: its shipping and a promotion code."""

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.resources import coupons, session_totals
from stripe_emulator.storage.transaction import Books

UNKNOWN_CODE = "This code is invalid."


def choose_shipping(books: Books, session: StripeObject, rate_id: str) -> None:
    """Take one of the shipping options. Raises InvalidRequest for any other."""
    session_totals.choose_shipping(session, rate_id)
    session_totals.recompute(books, session)


def apply_code(books: Books, session: StripeObject, typed: str) -> None:
    """Redeem a promotion code; an empty one is taken off. Raises InvalidRequest, and says why."""
    if not session["allow_promotion_codes"]:
        raise InvalidRequest("This session takes no promotion codes.", param="promotion_code")
    if typed:
        code = coupons.active_code(books, typed)
        if code is None:
            raise InvalidRequest(UNKNOWN_CODE, param="promotion_code")
        session_totals.apply(books, session, {"promotion_code": code["id"]}, "discounts[0]")
    else:
        session_totals.remove_discount(books, session)
    session_totals.recompute(books, session)
