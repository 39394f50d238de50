"""Blocking (受阻): an effect that is refused where nobody asked for it stops its workflow for a person.

1. What falls due is refused for a business reason: no rulebook in force, say. Nobody waits for the answer, so
   it can be told to nobody; failing would end the case, and trying again would change nothing.
2. The workflow says that it is blocked, why, and since when. Updates go on as ever.
3. An operator mends the reason and has the effect tried again; or has it skipped, or the case returned to the
   applicant, where the procedure can go on so.

A block is state, not a suspended step: it survives crashes and fresh runs like everything else.
"""

from collections.abc import Awaitable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.blocking import BlockActivities
    from schemas.contracts.backups import Block
    from schemas.contracts.stuck import BlockResolved, NoteBlock, ResolveBlock
    from schemas.errors import Refusal
    from schemas.stuck import plain_type
    from schemas.texts import Text
    from wire import search_attributes
    from wire.refusals import failure
    from workflows.transaction import transact

Answer = TypeVar("Answer")


class Blocking:
    """What a workflow with effects of its own inherits; see the module.

    While `_block` is there, it starts no effect of its own.
    """

    _block: Block | None = None

    async def _in_background(self, effect: str, doing: Awaitable[Answer]) -> Answer | None:
        """Do what nobody asked for; None when it was refused, and the workflow is blocked.

        Args:
            effect: Name of the activity.
            doing: Awaits it.
        """
        try:
            return await doing
        except FailureError as error:  # of a local activity it is the refusal itself
            refused = error.cause if isinstance(error, ActivityError) else error
            if not isinstance(refused, ApplicationError):
                raise
            code = plain_type(refused.type or type(refused).__name__)
            await self._stop(Block(effect=effect, code=code, since=workflow.now()))
            return None

    async def _stop(self, block: Block) -> None:
        self._block = block
        self._show_block()
        await transact(BlockActivities.note_block, NoteBlock(block=block), "记录受阻，等待运维人员处理")

    @workflow.update
    async def resolve_block(self, command: ResolveBlock) -> BlockResolved:
        """Go on, as an operator decides."""
        block = self._require_block()
        if command.action == "skip":
            self._skip(block.effect)
        elif command.action == "return_to_applicant":
            await self._return(block.effect, command)
        await transact(BlockActivities.note_block, NoteBlock(), "受阻已由运维人员处理")
        self._block = None
        self._show_block()
        return BlockResolved(effect=block.effect)

    @resolve_block.validator
    def _may_resolve_block(self, command: ResolveBlock) -> None:
        block = self._require_block()
        if command.action == "skip" and not self._may_skip(block.effect):
            raise failure(Refusal("nothing_to_do"))
        if command.action == "return_to_applicant" and not self._may_return(block.effect):
            raise failure(Refusal("nothing_to_do"))

    def _require_block(self) -> Block:
        if self._block is None:
            raise failure(Refusal("nothing_to_do"))
        return self._block

    def _show_block(self) -> None:
        workflow.upsert_search_attributes([search_attributes.BLOCKED.value_set(self._block is not None)])
        self._tell()

    def _block_lines(self) -> list[Text]:
        """What there is to say of the block, for operators."""
        if self._block is None:
            return []
        effect, code = self._block.effect, self._block.code
        return [Text(f"**受阻**：{effect} 被拒绝（{code}）", f"**Blocked**: {effect} was refused ({code})")]

    # --- what differs between procedures ------------------------------------------------------------

    def _tell(self) -> None:
        """Say in words where the case stands."""
        raise NotImplementedError

    def _may_skip(self, effect: str) -> bool:
        """Whether the procedure can go on without that effect."""
        return False

    def _skip(self, effect: str) -> None:
        """Take the effect as done."""

    def _may_return(self, effect: str) -> bool:
        """Whether the case can go back to the applicant now."""
        return self._may_skip(effect)

    async def _return(self, effect: str, command: ResolveBlock) -> None:
        """Give the case back; a draft is the applicant's already, so that only the effect is left out."""
        self._skip(effect)
