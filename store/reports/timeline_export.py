"""The proof of one order to take away: as text for people, as JSON for programs.

A page that is looked at again offers the same, so what was made last is kept.
"""

import json
from dataclasses import asdict
from functools import lru_cache

from store.reports.order_detail import Story


@lru_cache(maxsize=256)
def as_text(story: Story) -> str:
    """The timeline for a mail or a chat; a star marks what changed the order."""
    figures = story.tally
    lines = [
        f"Order {story.order.number}: {story.order.status}, {figures.charged_words}, "
        f"{figures.webhook_words} ({figures.ignored} without news).",
        *(
            f"{step.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
            + f" UTC {'*' if step.effect == 'changed' else ' '} {step.title}"
            + (f" ({step.note})" if step.note else "")
            for step in story.steps
        ),
    ]
    return "\n".join(lines)


@lru_cache(maxsize=256)
def as_json(story: Story) -> str:
    """The same with all evidence; amounts are in minor units, moments in UTC."""
    order = story.order
    return json.dumps(
        {
            "order": {
                "number": order.number,
                "status": order.status,
                "currency": order.currency,
                "total_amount": order.total_amount,
                "refunded_amount": order.refunded_amount,
                "checkout_session": order.checkout_session_id,
                "payment_intent": order.payment_intent_id,
                "items": [asdict(item) for item in order.items],
                "refunds": [asdict(refund) for refund in order.refunds],
                "disputes": [asdict(dispute) for dispute in order.disputes],
            },
            "tally": asdict(story.tally),
            "timeline": [
                {
                    "at": step.at,
                    "source": step.source,
                    "title": step.title,
                    "effect": step.effect,
                    "late_seconds": step.late.total_seconds() if step.late else None,
                    "evidence": dict(step.evidence),
                }
                for step in story.steps
            ],
        },
        default=lambda moment: moment.isoformat(),
        ensure_ascii=False,
        indent=2,
    )
