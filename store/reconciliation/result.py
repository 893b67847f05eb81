"""What one pass of the reconciler has done so far."""

from dataclasses import dataclass, field

from store.core.text import counted


@dataclass
class ReconcileResult:
    """Updated on the way, to show progress; `stage` is the current one."""

    stage: str = ""
    looked_up: int = 0
    events: int = 0  # those that had an effect
    refunds: int = 0
    older: int = 0
    failed: int = 0
    restored: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)  # missing orders, and why they stay so

    @property
    def failures(self) -> int:
        """How many items are left for the next pass."""
        return self.failed + len(self.lost)

    def __str__(self) -> str:
        return (
            f"{counted(self.looked_up, 'open order')} looked up, "
            f"{counted(self.events, 'missed event')} taken in, "
            f"{counted(self.refunds, 'refund')} sent, {counted(self.older, 'older fact')} found, "
            f"{counted(len(self.restored), 'missing order')} brought back, "
            f"{self.failures} left for the next pass"
        )
