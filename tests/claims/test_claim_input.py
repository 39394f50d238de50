"""What people type: every spelling of the same is the same, and what is none gets a clear answer."""

import json

import pytest
from claims_town import Registrant, Town, refusal, wrong

SPELLINGS = [
    ("孙示例", "{}", "as registered"),
    ("孫示例", "{}", "traditional"),
    (" 孙 示　例 ", "{}", "blanks in the name"),
    ("孙示例", "+86{}", "with country code"),
    ("孙示例", "0086 {}", "with 0086"),
    ("孙示例", "+86-{}", "with a hyphen"),
]


@pytest.mark.parametrize(("name", "phone", "how"), SPELLINGS, ids=[how for *_, how in SPELLINGS])
async def test_however_it_is_written_the_person_is_found(town: Town, name: str, phone: str, how: str) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    done = await person.claims_and_proves(Registrant(old.id, name, phone.format(old.phone)))
    assert done["moved"] == 3


def full_width(digits: str) -> str:
    return "".join(chr(ord(digit) + 0xFEE0) for digit in digits)


async def test_full_width_and_grouped_digits_are_digits(town: Town) -> None:
    unit = town.unit()
    person = await town.person(unit)
    for full_width_phone in (True, False):
        old = town.registrant(unit)
        grouped = f"{old.phone[:3]} {old.phone[3:7]} {old.phone[7:]}"
        phone = full_width(old.phone) if full_width_phone else grouped
        claim = await person.claims(Registrant(old.id, old.name, phone))
        code = await town.code(claim)
        assert (await person.tries(claim, f" {full_width(code)} ")).json()["state"] == "moved"


async def test_middle_dots_are_one(town: Town) -> None:
    unit = town.unit()
    old = town.registrant(unit, name="买买提·示例")
    done = await (await town.person(unit)).claims_and_proves(Registrant(old.id, "买买提•示例", old.phone))
    assert done["moved"] == 3


REFUSED = [
    ({"name": "孙示例", "phone": "021-62345678"}, "phone_not_mobile", "/phone"),
    ({"name": "孙示例", "phone": "+852 9123 4567"}, "phone_abroad", "/phone"),
    ({"name": "孙示例", "phone": "1390000000a"}, "phone_has_letters", "/phone"),
    ({"name": "孙示例", "phone": "1390000000😀"}, "phone_has_symbols", "/phone"),
    ({"name": "孙示例", "phone": "139"}, "phone_invalid", "/phone"),
    ({"name": "孙示例", "phone": "13900000000" * 900}, "phone_invalid", "/phone"),
    ({"name": "孙示例", "phone": " "}, "phone_missing", "/phone"),
    ({"name": "孙" * 3_400, "phone": "13900000000"}, "name_too_long", "/name"),
    ({"name": "孙示例😀", "phone": "13900000000"}, "name_unreadable", "/name"),
    ({"name": "　", "phone": "13900000000"}, "name_missing", "/name"),
]


@pytest.mark.parametrize(("said", "code", "pointer"), REFUSED, ids=lambda value: str(value)[-24:])
async def test_what_is_no_name_or_no_mobile_number_is_told_and_not_repeated(
    town: Town, said: dict[str, str], code: str, pointer: str
) -> None:
    person = await town.person(town.unit())
    answer = await person.asks("POST", "/v1/claims", json=said)
    assert refusal(answer) == (422, code)
    problem = answer.json()
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    problem.pop("instance")  # a drawn id, in which three digits turn up by chance
    assert not any(value.strip() in str(problem) for value in said.values() if value.strip())
    assert town.value("SELECT count(*) FROM claim WHERE account_id = :id", id=person.account) == 0


@pytest.mark.parametrize("said", [{}, {"name": "孙示例"}, {"name": 1, "phone": None}, {"nmae": ""}])
async def test_what_is_no_claim_is_told_by_its_fields(town: Town, said: dict[str, object]) -> None:
    person = await town.person(town.unit())
    assert (await person.asks("POST", "/v1/claims", json=said)).status_code == 422


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345a", "1 2 3 4 5", "１２３４５", "²³⁴⁵⁶⁷x", "😀"]
)
async def test_what_is_no_code_is_told_and_not_counted(town: Town, code: str) -> None:
    unit = town.unit()
    person = await town.person(unit)
    claim = await person.claims(town.registrant(unit))
    await town.looked_up(claim)
    answer = await person.tries(claim, code)
    assert refusal(answer) == (422, "code_malformed")
    assert town.value("SELECT tries FROM verification_code WHERE claim_id = :id", id=claim) == 0


async def test_a_code_may_be_typed_wide_and_in_groups(town: Town) -> None:
    unit = town.unit()
    person = await town.person(unit)
    registrant = town.registrant(unit)
    claim = await person.claims(registrant)
    code = await town.code(claim)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    answer = await person.tries(claim, f" {wide[:3]}　{wide[3:]} ")
    assert answer.status_code == 200, answer.text


async def test_no_answer_and_no_row_holds_what_was_typed(town: Town) -> None:
    unit = town.unit()
    old, person = town.registrant(unit), await town.person(unit)
    claim = await person.claims(old)
    code = await town.code(claim)
    mistyped = wrong(code)
    answer = await person.tries(claim, mistyped)
    assert mistyped not in answer.text
    kept = json.dumps(
        [
            town.rows(f"SELECT {table}::text FROM {table}")
            for table in ("claim", "verification_code", "operation", "counted_request")
        ],
        ensure_ascii=False,
    )
    assert str(claim) in kept
    for typed in (old.name, old.phone, code, mistyped):
        assert f'"{typed}"' not in kept
        assert f",{typed}," not in kept
