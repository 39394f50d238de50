"""Checks of ``hgrip doctor``: settings, files, the database."""

import asyncio
import shutil
import stat
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from activities.sms.choice import chosen
from api.keys import PublicKeys
from cli.doctor_findings import Check, Found, Ground, clock, works
from rules.engine.signing import Signers
from schemas.texts import Text
from store.answer_keys import AnswerKeys
from store.database import reading
from store.migrations import migrations
from store.releases import Rulebooks
from wire.keys import KeyRing

ROOM = 2 << 30
"""Bytes that uploads and logs need on this machine's disk."""
_START = "systemctl start postgresql; HGRIP_DATABASE_URL"
SAMPLE = 10_000
"""Rows of each table whose keys are looked at."""


# --- files and settings -----------------------------------------------------------------------------


async def _keys(ground: Ground) -> Found:
    path = ground.settings.keys_file
    ring = KeyRing.load(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Found(
            "failed", Text("其他用户可以读取密钥文件", "others can read the key file"), f"chmod 600 {path}"
        )
    ids = f"codec {', '.join(ring.codec.keys)}; column {', '.join(ring.column.keys)}"
    return works(f"密钥编号：{ids}", f"key ids: {ids}")


async def _keys_in_use(ground: Ground) -> Found:
    known = set(KeyRing.load(ground.settings.keys_file).column.keys)

    def used() -> set[str]:
        with reading(ground.engine) as reader:
            return set(reader.connection().execute(_KEY_IDS, {"most": SAMPLE}).scalars())

    missing = await asyncio.to_thread(used) - known
    if missing:
        told = Text(
            "数据库中的内容用了密钥环里没有的密钥", "the database holds what keys outside the ring encrypted"
        )
        return Found("failed", told, f"把密钥补入 / add the keys to {ground.settings.keys_file}")
    return works("数据库所用的密钥都在密钥环中", "the ring has every key the database uses")


async def _signers(ground: Ground) -> Found:
    count = len(Signers.load(ground.settings.rule_signers).signers)
    return works(f"{count} 名签名人", f"{count} signers")


async def _answer_keys(ground: Ground) -> Found:
    if not AnswerKeys.load(ground.settings.answer_keys):
        told = Text(
            "没有回答签名密钥：不能签署树头和回答", "no answer key: neither tree heads nor answers are signed"
        )
        return Found("failed", told, "hgrip answer-key --out FILE; HGRIP_ANSWER_KEYS=FILE")
    return works("可以签名", "answers can be signed")


async def _sign_in(ground: Ground) -> Found:
    await PublicKeys(ground.settings.jwks, time.time).find(None)
    return works("签名公钥可以取得", "the issuer's keys can be fetched")


async def _sms(ground: Ground) -> Found:
    chosen(ground.settings, ground.engine)
    if ground.settings.sms_carrier == "inbox":
        told = Text("收件箱：短信不会发出，仅限开发环境", "the inbox: nothing is sent, for development only")
        return Found("attention", told)
    return works(
        f"{ground.settings.sms_carrier}，设置齐全", f"{ground.settings.sms_carrier}, settings complete"
    )


async def _disk(ground: Ground) -> Found:
    places = {ground.settings.keys_file.parent, Path(tempfile.gettempdir())}
    free = min(shutil.disk_usage(place).free for place in places)
    told = Text(f"剩余 {free >> 20} MiB", f"{free >> 20} MiB free")
    return Found("works", told) if free > ROOM else Found("failed", told, "df -h; 清理磁盘 / make room")


# --- the database -----------------------------------------------------------------------------------


async def _database(ground: Ground) -> Found:
    def ask() -> tuple[str | None, str | None, str]:
        with ground.engine.connect() as connection:
            version = connection.execute(text("SHOW server_version")).scalar_one()
            at = MigrationContext.configure(connection).get_current_revision()
        url = ground.settings.database_url.get_secret_value()
        return at, ScriptDirectory.from_config(migrations(url)).get_current_head(), version

    at, head, version = await asyncio.to_thread(ask)
    if at != head:
        told = Text(
            f"数据库结构是 {at}，本版本需要 {head}", f"the schema is at {at}, this version needs {head}"
        )
        return Found("failed", told, "hgrip migrate")
    return works(f"PostgreSQL {version}，结构 {at}", f"PostgreSQL {version}, schema {at}")


async def _rulebook(ground: Ground) -> Found:
    def ask() -> str:
        rulebooks = Rulebooks(ground.settings.rule_signers)
        with reading(ground.engine) as reader:
            return rulebooks.in_force(reader, datetime.now(UTC)).release.version

    version = await asyncio.to_thread(ask)
    return works(f"生效版本 {version}", f"release {version} is in force")


async def _database_clock(ground: Ground) -> Found:
    def ask() -> timedelta:
        with ground.engine.connect() as connection:
            theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return abs(theirs - datetime.now(UTC))

    return clock(await asyncio.to_thread(ask))


_KEY_IDS = text("""
    SELECT DISTINCT convert_from(substring(value FROM 3 FOR get_byte(value, 1)), 'UTF8') FROM (
        (SELECT phone AS value FROM account WHERE phone IS NOT NULL LIMIT :most)
        UNION ALL (SELECT personal FROM form_content WHERE personal IS NOT NULL LIMIT :most)
    ) AS sealed
""")

CHECKS = (
    Check("keys", Text("密钥文件", "key file"), _keys, "从备份恢复 / restore it: HGRIP_KEYS_FILE"),
    Check("signers", Text("规则签名人", "signers of rules"), _signers, "HGRIP_RULE_SIGNERS"),
    Check("answer_keys", Text("回答签名密钥", "answer keys"), _answer_keys, "HGRIP_ANSWER_KEYS"),
    Check("sign_in", Text("登录公钥", "sign-in keys"), _sign_in, "HGRIP_JWKS"),
    Check("sms", Text("短信", "text messages"), _sms, "HGRIP_SMS_CARRIER"),
    Check("disk", Text("磁盘", "disk"), _disk),
    Check("database", Text("数据库", "database"), _database, _START),
    Check("database_clock", Text("数据库时钟", "clock of the database"), _database_clock, _START),
    Check("keys_in_use", Text("在用密钥", "keys in use"), _keys_in_use, "hgrip migrate"),
    Check("rulebook", Text("规则", "rules"), _rulebook, "hgrip rules publish"),
)
