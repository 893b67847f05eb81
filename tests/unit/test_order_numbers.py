"""Order numbers: random, and readable aloud."""

import pytest

from store.orders import queries


@pytest.mark.scenario("G3")
def test_order_numbers_cannot_be_guessed_and_never_repeat() -> None:
    numbers = {queries.new_number() for _ in range(10_000)}

    assert len(numbers) == 10_000
    assert all(len(number.replace("-", "")) == 16 for number in numbers)
    assert len(queries.ALPHABET) ** queries.NUMBER_LENGTH > 2**75
