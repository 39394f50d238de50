"""Withdrawal of a numbered backup (撤回).

The notice says nothing of it; docs/decisions/corrections-exchange-contents.md does:

1. Its delegate asks for it, with a reason.
2. A prior report that has used the backup stands against it.
3. It is withdrawn in one transaction: it keeps its number, its contents and its delegate, stays visible, and
   can be used in no prior report from then on.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.amendments import AmendmentActivities
    from schemas.contracts.amendments import NumberWithdrawn, WithdrawalOrder, WithdrawNumber
    from workflows.transaction import transact


@workflow.defn(name="NumberWithdrawal")
class NumberWithdrawal:
    """One run per request; see the module for the procedure."""

    @workflow.run
    async def run(self, asked: WithdrawNumber) -> NumberWithdrawn:
        """Withdraw it."""
        return await transact(
            AmendmentActivities.withdraw_number,
            WithdrawalOrder(**asked.model_dump(), at=workflow.now()),
            "撤回已编号备份",
        )
