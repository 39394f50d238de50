"""One database transaction as a step of a workflow."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

from wire.readable import Readable

TRANSACTION = timedelta(seconds=20)
"""How long one may take; a longer one is dead, and tried again for as long as it takes."""
PATIENT = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=30))

Order = TypeVar("Order")
Answer = TypeVar("Answer")


async def transact(activity: Callable[[Any, Order], Answer], order: Order, summary: str) -> Answer:
    """Have an activity carry out one short transaction, in the worker that runs the workflow.

    Args:
        activity: A method that is one transaction.
        order: What it is told.
        summary: What it does, in Chinese, for whoever reads the history.
    """
    return await workflow.execute_local_activity_method(
        activity,
        order,
        start_to_close_timeout=TRANSACTION,
        retry_policy=PATIENT,
        summary=Readable(summary),
    )
