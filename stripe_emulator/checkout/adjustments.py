"""Changes of an open session's total by the buyer: its shipping option and a promotion code."""

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.resources import coupons, session_totals
from stripe_emulator.storage.transaction import Transaction

UNKNOWN_CODE = "This code is invalid."


def choose_shipping(tx: Transaction, session: StripeObject, rate_id: str) -> None:
    """Choose one of the session's shipping options. Raises InvalidRequest for any other."""
    session_totals.choose_shipping(session, rate_id)
    session_totals.recompute(tx, session)


def apply_code(tx: Transaction, session: StripeObject, typed: str) -> None:
    """Apply a promotion code; an empty one removes it. Raises InvalidRequest with the reason."""
    if not session["allow_promotion_codes"]:
        raise InvalidRequest("This session takes no promotion codes.", param="promotion_code")
    if typed:
        code = coupons.active_code(tx, typed)
        if code is None:
            raise InvalidRequest(UNKNOWN_CODE, param="promotion_code")
        session_totals.apply(tx, session, {"promotion_code": code["id"]}, "discounts[0]")
    else:
        session_totals.remove_discount(tx, session)
    session_totals.recompute(tx, session)
