"""Stripe's named test payment methods (`pm_card_visa`, `tok_visa`) and test bank accounts.

Names and outcomes: docs.stripe.com/testing, docs.stripe.com/payments/ach-direct-debit and
docs.stripe.com/payments/sepa-debit.
"""

from dataclasses import dataclass

from stripe_emulator.base.test_cards import BY_NUMBER, TestCard

_CARDS = {
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "mastercard_prepaid": "5105105105105100",
    "amex": "378282246310005",
    "discover": "6011111111111117",
    "diners": "3056930009020004",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000047",
    "us": "4242424242424242",
    "bypassPending": "4000000000000077",
    "chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "chargeCustomerFail": "4000000000000341",
    "authenticationRequired": "4000002760003184",
    "authenticationRequiredOnSetup": "4000002500003155",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "threeDSecure2Required": "4000000000003220",
    "threeDSecureRequired": "4000000000003220",
    "threeDSecureRequiredChargeDeclined": "4000008400001629",
    "createDispute": "4000000000000259",
    "createDisputeProductNotReceived": "4000000000002685",
    "createDisputeInquiry": "4000000000001976",
    "createIssuerFraudRecord": "4000000000005423",
    "pendingRefund": "4000000000007726",
    "refundFail": "4000000000005126",
}


def card_of_token(name: str) -> TestCard | None:
    """Return the card of `pm_card_…` or `tok_…`; None for any other name.

    Stripe writes the names of declines with and without the brand: `pm_card_visa_chargeDeclined`.
    """
    for prefix in ("pm_card_", "tok_"):
        if name.startswith(prefix):
            plain = name.removeprefix(prefix)
            number = _CARDS.get(plain) or _CARDS.get(plain.removeprefix("visa_"))
            return BY_NUMBER[number] if number else None
    return None


@dataclass(frozen=True)
class TestAccount:
    """A test bank account; `succeeds` says whether its bank pays a debit."""

    type: str
    number: str
    succeeds: bool = True

    __test__ = False  # pytest would collect it as a test class

    @property
    def last4(self) -> str:
        """Return the last four digits, the only part of a number that may be stored."""
        return self.number[-4:]


_ACCOUNTS = (
    TestAccount("us_bank_account", "000123456789"),
    TestAccount("us_bank_account", "000000000009", succeeds=False),
    TestAccount("us_bank_account", "000111111113", succeeds=False),
    TestAccount("us_bank_account", "000111111116", succeeds=False),
    TestAccount("us_bank_account", "000222222227", succeeds=False),
    TestAccount("sepa_debit", "AT611904300234573201"),
    TestAccount("sepa_debit", "AT321904300235473204"),
    TestAccount("sepa_debit", "AT861904300235473202", succeeds=False),
    TestAccount("sepa_debit", "AT051904300235473205", succeeds=False),
    TestAccount("sepa_debit", "DE89370400440532013000"),
    TestAccount("sepa_debit", "DE62370400440532013001", succeeds=False),
    TestAccount("sepa_debit", "IT40S0542811101000000123456"),
    TestAccount("sepa_debit", "IT60X0542811101000000123456", succeeds=False),
)
ACCOUNTS = {(account.type, account.number): account for account in _ACCOUNTS}
ACCOUNTS_NAMED = {
    "pm_usBankAccount_success": ACCOUNTS["us_bank_account", "000123456789"],
    "pm_usBankAccount": ACCOUNTS["us_bank_account", "000123456789"],
    "pm_usBankAccount_accountClosed": ACCOUNTS["us_bank_account", "000111111113"],
    "pm_usBankAccount_noAccount": ACCOUNTS["us_bank_account", "000111111116"],
    "pm_usBankAccount_insufficientFunds": ACCOUNTS["us_bank_account", "000222222227"],
}
