"""The timeline of one order as text for people and as JSON for programs.

Both are cached, because a page that refreshes itself offers the same texts again.
"""

import json
from dataclasses import asdict
from functools import lru_cache

from store.reports.order_detail import OrderDetail


@lru_cache(maxsize=256)
def timeline_text(order_detail: OrderDetail) -> str:
    """The timeline for a mail or a chat; a star marks entries that changed the order."""
    charges = order_detail.charges
    lines = [
        f"Order {order_detail.order.number}: {order_detail.order.status}, {charges.charges_text}, "
        f"{charges.webhooks_text} ({charges.ignored} without news).",
        *(
            f"{entry.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
            + f" UTC {'*' if entry.effect == 'changed' else ' '} {entry.title}"
            + (f" ({entry.note})" if entry.note else "")
            for entry in order_detail.entries
        ),
    ]
    return "\n".join(lines)


@lru_cache(maxsize=256)
def timeline_json(order_detail: OrderDetail) -> str:
    """The same with all evidence; amounts in minor units, times in UTC."""
    order = order_detail.order
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
            "charges": asdict(order_detail.charges),
            "timeline": [
                {
                    "at": entry.at,
                    "source": entry.source,
                    "title": entry.title,
                    "effect": entry.effect,
                    "late_seconds": entry.late.total_seconds() if entry.late else None,
                    "evidence": dict(entry.evidence),
                }
                for entry in order_detail.entries
            ],
        },
        default=lambda at: at.isoformat(),
        ensure_ascii=False,
        indent=2,
    )
