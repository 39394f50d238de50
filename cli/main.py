"""The ``hgrip`` command."""

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import SecretStr
from rich.console import Console
from typer.core import TyperGroup

import settings as configuration
from api.app import create_app
from cli import audit, legacy, ops, rules, schedules, sms
from cli import demo as story
from cli.doctor import doctor
from cli.preparation import prepare
from cli.token import token
from cli.workers import list_workers
from embedded import platform as embedded_platform
from embedded.process import EmbeddedError
from rules.engine.acts import ReleaseRefused
from rules.engine.faults import RulebookError
from rules.engine.signing import SignersError
from settings import Settings, SettingsError
from store.answer_keys import AnswerKeysError, rotate
from store.migrations import migrate as migrate_database
from wire.client import TemporalUnreachableError
from wire.keys import KeyRing, KeysError

console = Console(highlight=False, soft_wrap=True)
CODEC_PORT = 8234
"""Of the codec server, beside the Web UI's."""
KNOWN_FAULTS = (
    AnswerKeysError,
    EmbeddedError,
    KeysError,
    ReleaseRefused,
    RulebookError,
    SettingsError,
    SignersError,
    TemporalUnreachableError,
)
"""What a person can mend after reading its text."""


class PlainWords(TyperGroup):
    """Ends with exit code 1 and a sentence, not a traceback, where the sentence says what to do."""

    def invoke(self, context: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except KNOWN_FAULTS as fault:
            console.print(str(fault), style="red", markup=False)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=PlainWords,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables: persons and keys
    help="人类遗传资源信息备份平台 / Backup of human genetic resource information",
)
app.add_typer(audit.app, name="audit")
app.add_typer(legacy.app, name="legacy")
app.add_typer(rules.app, name="rules")
app.add_typer(schedules.app, name="schedules")
app.add_typer(ops.app, name="ops")
app.add_typer(sms.app, name="sms")
app.command()(token)
app.command()(doctor)
app.command(name="workers")(list_workers)


@app.command()
def run(
    folder: Annotated[Path, typer.Option(help="数据与日志目录 / Folder of data and logs")] = Path("var"),
    port: Annotated[int, typer.Option(help="API 端口，被占用时另选 / Port of the API, or a free one")] = 8080,
) -> None:
    """启动整个平台，直到 Ctrl-C / Run the whole platform until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end the same way
    try:
        with embedded_platform.running(folder, temporal_port=7233, ui_port=8233) as platform:
            prepare(platform.settings)
            schedules.put_in_place(platform.settings)
            platform.start_worker()
            platform.start_api(port)
            codec = platform.start_codec_server(CODEC_PORT)
            console.print(
                "平台已启动，按 Ctrl-C 停止 / The platform is up; Ctrl-C stops it",
                f"  API 文档 / API docs   {platform.api_url}/docs",
                f"  短信 / SMS inbox      {platform.api_url}/sms-inbox",
                f"  Temporal Web UI      {platform.temporal.ui_url}",
                f"  解密服务 / codec      {codec}",
                f"  日志 / logs           {folder.resolve() / 'log'}",
                sep="\n",
            )
            while True:
                platform.check()
                time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("平台已停止 / The platform has stopped")


@app.command()
def demo() -> None:
    """演示：从三步填写到备份编号，然后停止 / Play from three steps to a backup number, then stop."""
    story.play(Path("var/demo"))


@app.command(name="answer-key")
def answer_key(
    out: Annotated[Path, typer.Option(help="密钥文件，即 HGRIP_ANSWER_KEYS / File of the keys")],
) -> None:
    """生成为回答签名的新密钥；旧密钥仍可验签 / Make a key that signs answers; old ones still verify."""
    console.print(
        f"新密钥 {rotate(out)} 已写入 {out}（0600），重启 API 和 worker 后生效 / "
        "The new key is in the file; it signs once API and workers are restarted",
        markup=False,
    )


@app.command(name="rotate-keys")
def rotate_keys(
    file: Annotated[Path, typer.Argument(help="密钥文件，即 HGRIP_KEYS_FILE / The key file")],
) -> None:
    """生成新的加密密钥，旧密钥保留用于解密 / Make new encryption keys; the old ones still decrypt."""
    ring = KeyRing.load(file)
    ring = ring.model_copy(update={"codec": ring.codec.rotated(), "column": ring.column.rotated()})
    ring.save(file)
    console.print(
        f"新密钥：codec {ring.codec.primary}，column {ring.column.primary}。请立即把此文件发到每台机器并重启 "
        "API、worker 和编解码服务；其间的请求稍后重试即可 / New keys are in the file. Bring it to every "
        "machine and restart API, workers and codec server; requests meanwhile are told to come again",
        markup=False,
    )


@app.command()
def migrate() -> None:
    """把数据库升级到最新结构 / Bring the database to the newest schema."""
    migrate_database(configuration.load().database_url.get_secret_value())


@app.command()
def worker() -> None:
    """运行一个 worker / Run one worker."""
    import worker as composition_root

    asyncio.run(composition_root.main())


@app.command()
def api(
    host: Annotated[str, typer.Option(help="监听地址 / Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="端口 / Port")] = 8080,
) -> None:
    """运行 API / Run the API."""
    uvicorn.run("api.app:create_app", factory=True, host=host, port=port, access_log=False)


@app.command(name="codec-server")
def codec_server(
    host: Annotated[str, typer.Option(help="监听地址 / Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="端口 / Port")] = CODEC_PORT,
) -> None:
    """运行解密服务，供 Temporal 的界面和命令使用 / Run the codec server."""
    uvicorn.run("api.codec:create_codec_server", factory=True, host=host, port=port, access_log=False)


@app.command()
def openapi() -> None:
    """输出接口描述 / Print the API's description (OpenAPI 3.1), as docs/reference/openapi.json holds it."""
    nowhere = Settings(
        database_url=SecretStr("postgresql+psycopg://"),
        keys_file=Path(),
        rule_signers=Path(),
        token_issuer="",
        jwks="",
        deployment="development",
    )
    typer.echo(json.dumps(create_app(nowhere).openapi(), ensure_ascii=False, indent=2))
