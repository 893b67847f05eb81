"""What a storefront process keeps in memory for its back office, in one object.

A restart signs everybody out and forgets the results of tasks and health checks.
"""

from store.backoffice.auth import OperatorSessions
from store.backoffice.health import HealthMonitor
from store.backoffice.tasks import BackgroundTasks


class BackOffice:
    def __init__(self) -> None:
        self.sessions = OperatorSessions()
        self.tasks = BackgroundTasks()
        self.health = HealthMonitor(self.tasks)


BACK_OFFICE = BackOffice()
