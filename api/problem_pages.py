"""What each problem type's address shows: what happened and how to mend it, in both languages.

A browser gets a page, a program JSON.
"""

from html import escape

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.bodies import StrictRoute
from schemas.errors import ERRORS, Refusal
from schemas.platform_errors import Error
from schemas.texts import Text

router = APIRouter(prefix="/problems", tags=["problems"], route_class=StrictRoute)


class Sentence(BaseModel):
    """One sentence in both languages."""

    zh: str
    en: str


class ProblemType(BaseModel):
    """One kind of problem; ``mend`` may have facts in braces, which a real problem fills in."""

    code: str
    status: int
    retryable: bool
    title: Sentence
    mend: Sentence


class ProblemTypes(BaseModel):
    """All kinds of problems."""

    problems: list[ProblemType]


@router.get("", operation_id="listProblemTypes", response_model=ProblemTypes)
def list_problem_types(request: Request) -> Response:
    """所有错误类型及处理办法 / All kinds of problems and how to mend them."""
    if _reads_html(request):
        return _page(Text("错误类型", "Kinds of problems"), "".join(map(_section, ERRORS.values())))
    return JSONResponse({"problems": [_problem_type(error) for error in ERRORS.values()]})


@router.get("/{code}", operation_id="getProblemType", response_model=ProblemType)
def get_problem_type(code: str, request: Request) -> Response:
    """一种错误的含义及处理办法 / One kind of problem and how to mend it."""
    if code not in ERRORS:
        raise Refusal("not_found")
    error = ERRORS[code]
    return _page(error.title, _section(error)) if _reads_html(request) else JSONResponse(_problem_type(error))


def _reads_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _problem_type(error: Error) -> dict[str, object]:
    return {
        "code": error.code,
        "status": error.status,
        "retryable": error.retryable,
        "title": error.title._asdict(),
        "mend": error.mend._asdict(),
    }


def _section(error: Error) -> str:
    again = " · 可以原样重试 / may be repeated as it is" if error.retryable else ""
    return f"""<section id="{error.code}">
<h2>{escape(error.title.zh)}<br><small lang="en">{escape(error.title.en)}</small></h2>
<p>{escape(error.mend.zh)}</p><p lang="en">{escape(error.mend.en)}</p>
<p><code>{error.code}</code> · HTTP {error.status}{again}</p>
</section>"""


def _page(title: Text, body: str) -> Response:
    page = f"""<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title.zh)} / {escape(title.en)}</title>
<main>{body}</main>
</html>"""
    return HTMLResponse(page, headers={"Vary": "Accept", "Cache-Control": "public, max-age=3600"})
