"""A person's claim, step by step, over the API on the real servers."""

from claims_town import Town, wrong


async def test_the_right_code_moves_all_numbered_backups_and_leaves_the_drafts(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit, 4, drafts=2), await town.person(unit)
    claim = await person.claims(old)
    assert (await person.claim(claim))["state"] == "waiting_for_code"
    code = await town.code(claim)
    refused = await person.tries(claim, wrong(code))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/code_not_accepted")
    assert town.holders(old) == {None: 4}
    done = await person.proves(claim)
    assert (done["state"], done["moved"], done["drafts_left"]) == ("moved", 4, 2)
    assert town.holders(old) == {person.account: 4}
    listed = await person.gets(done["backups"])
    assert len(listed["backups"]) == 4
