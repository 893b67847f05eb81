"""What can be made to go wrong, on purpose."""

REQUEST_TROUBLES: dict[str, str] = {
    "rate_limit": "Answer 429, too many requests, before acting",
    "lock_timeout": "Answer 429, another request holds the object, before acting",
    "error_before": "Answer 500 before acting",
    "error_after": "Act, then answer 500",
    "hang": "Act, then keep silent for {value} seconds (default 90)",
    "cut": "Act, then cut the connection",
    "slow": "Answer {value} milliseconds late (default 1000)",
}

DELIVERY_TROUBLES: dict[str, str] = {
    "drop": "Never deliver it",
    "duplicate": "Deliver it {value} times in all (default 2)",
    "reorder": "Hold it back until a later event has been delivered",
    "delay": "Deliver it {value} seconds late (default 60)",
    "forge": "Send an event that never happened before it, with a made-up signature",
    "tamper": "Change the body after signing it",
    "wrong_secret": "Sign it with another secret",
    "old_timestamp": "Sign it with a timestamp {value} seconds old (default 600)",
    "livemode": "Say livemode: true, correctly signed",
    "amount": "Say another amount ({value}, default one more), correctly signed",
    "currency": "Say another currency ({value}, default eur), correctly signed",
}
