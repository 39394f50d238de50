"""What a backup says of its lists, for backups that were there before it said anything."""

from alembic import command
from sqlalchemy import text

from store.database import connect
from store.migrations import migrations

MADE = (
    "INSERT INTO unit VALUES ('U', 'x')",
    """INSERT INTO account (id, signed_in_at, real_name_verified, unit_authorised, unit_administrator)
       VALUES (lpad('', 32, 'a')::uuid, now(), true, true, false)""",
    """INSERT INTO backup (id, state, creator_id, delegate_id, unit_code, created_at, saved_at, expires_at)
       SELECT lpad(n::text, 32, '0')::uuid, 'draft', account.id, account.id, 'U', now(), now(), now()
       FROM account, generate_series(1, 3) AS n""",
    """INSERT INTO manifest (id, account_id, sha256, form, format, listing, rows, unreadable_rows, categories,
                             repositories, in_transit, stored_at)
       SELECT lpad(n::text, 32, 'b')::uuid, account.id, '', 'data-file', 'csv', 'file_list', n, 0,
              (ARRAY['{wgs,wes}', '{wes,omics}', '{}']::varchar[])[n]::varchar[], '{}', '{}', now()
       FROM account, generate_series(1, 3) AS n""",
    """INSERT INTO backup_step
       SELECT backup.id, step, 1, lpad(n::text, 32, 'b')::uuid, now(), backup.creator_id
       FROM backup,
            (VALUES (1, 'a', '1'), (1, 'b', '2'), (2, 'a', '3'), (2, 'form', 'f')) AS saved (of, step, n)
       WHERE backup.id = lpad(of::text, 32, '0')::uuid""",
)


def test_backups_that_were_there_before_say_what_their_lists_hold(empty_database: str) -> None:
    command.upgrade(migrations(empty_database), "0013")
    engine = connect(empty_database, pool_size=1)
    with engine.begin() as connection:
        for statement in MADE:
            connection.execute(text(statement))
    command.upgrade(migrations(empty_database), "head")
    with engine.connect() as connection:
        said = connection.execute(text("SELECT data_files, categories FROM backup ORDER BY id")).all()
    assert [tuple(row) for row in said] == [(3, ["omics", "wes", "wgs"]), (3, []), (0, [])]
    engine.dispose()
