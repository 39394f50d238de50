"""What can be wrong with an uploaded file list, and the sentences that say so.

A fault holds a code, a place and whole numbers. It never holds text of a cell: a list may carry persons.
"""

from typing import Literal, NamedTuple


class Fault(NamedTuple):
    """One thing that could not be read (读取问题).

    Attributes:
        code: A key of ``SENTENCES``.
        line: Line of the file, from 1; the sheet's row for XLSX. None when the whole file is meant.
        column: The column's name as the header spells it; None when no single column is meant.
        facts: Whole numbers the sentence names: a limit, a count, a position.
    """

    code: str
    line: int | None = None
    column: str | None = None
    facts: tuple[int, ...] = ()


class UnreadableFile(Exception):  # noqa: N818 - the sentence a person reads, not a programming error
    """The whole file cannot be read.

    Attributes:
        fault: What is wrong with it.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def fault_sentence(fault: Fault, language: Literal["zh", "en"]) -> str:
    """Say where a fault is, what is wrong, why it matters and how to mend it, without any cell's content."""
    chinese, english = SENTENCES[fault.code]
    if language == "zh":
        where = f"第 {fault.line} 行" if fault.line else ""
        where += f"“{fault.column}”列" if fault.column else ""
        return f"{where}：{chinese.format(*fault.facts)}" if where else chinese.format(*fault.facts)
    place = [f"line {fault.line}"] if fault.line else []
    place += [f"column “{fault.column}”"] if fault.column else []
    where = ", ".join(place)
    sentence = english.format(*fault.facts)
    return f"{where[0].upper()}{where[1:]}: {sentence}" if where else sentence


class Sentences(NamedTuple):
    """What is wrong, why it matters and how to mend it; numbers in braces come from ``Fault.facts``."""

    zh: str
    en: str


_FORMATS_ZH = "请另存为 XLSX、CSV（UTF-8）、TSV 或 NDJSON 后重新上传。"
_FORMATS_EN = "Save the list as XLSX, CSV (UTF-8), TSV or NDJSON and upload it again."

SENTENCES: dict[str, Sentences] = {
    "file.empty": Sentences(
        zh="文件中没有任何内容，无法读取文件清单。请确认选择了正确的文件，且第一行为列名。",
        en="The file has no content, so there is no list to read. Check that the right file was chosen "
        "and that its first line names the columns.",
    ),
    "file.media_type": Sentences(
        zh=f"声明的文件类型不是文件清单可用的类型。{_FORMATS_ZH}",
        en=f"The declared media type is none a file list can have. {_FORMATS_EN}",
    ),
    "file.encoding": Sentences(
        zh="文件的第 {0} 个字节既不是有效的 UTF-8，也不是 GB18030 或声明的 UTF-16 文字，文件可能已损坏或"
        "编码混杂。请用表格软件打开，检查该行，另存为“CSV UTF-8”后重新上传。",
        en="Byte {0} of the file is neither valid UTF-8 nor GB18030 nor the UTF-16 its mark announces, "
        "so the file is damaged or mixes encodings. Open it in a spreadsheet, check this line, save "
        "it as “CSV UTF-8” and upload it again.",
    ),
    "file.is_pdf": Sentences(
        zh=f"这是 PDF 文档，不是文件清单。{_FORMATS_ZH}",
        en=f"This is a PDF document, not a file list. {_FORMATS_EN}",
    ),
    "file.is_image": Sentences(
        zh=f"这是图片，不是文件清单。{_FORMATS_ZH}",
        en=f"This is an image, not a file list. {_FORMATS_EN}",
    ),
    "file.is_compressed": Sentences(
        zh="这是压缩文件或压缩的数据文件（如 gzip、BAM），不是文件清单。请上传列出数据文件的清单，而不是"
        "数据文件本身；如清单被压缩，请先解压。",
        en="This is a compressed file or compressed data (gzip, BAM, …), not a file list. Upload the "
        "list that names the data files, not the data themselves; if the list was compressed, unpack "
        "it first.",
    ),
    "file.is_zip": Sentences(
        zh="这是 ZIP 压缩包，其中没有 XLSX 工作簿。请解压后上传其中的清单文件。",
        en="This is a ZIP archive without an XLSX workbook in it. Unpack it and upload the list itself.",
    ),
    "file.is_xls": Sentences(
        zh="这是旧版 Excel（.xls）或其他旧版 Office 文件，无法读取。请在 Excel 或 WPS 中另存为 .xlsx 后"
        "重新上传。",
        en="This is an old Excel (.xls) or other old Office file, which cannot be read. Save it as "
        ".xlsx in Excel or WPS and upload it again.",
    ),
    "file.is_encrypted": Sentences(
        zh="该工作簿设有打开密码，内容已加密，无法读取。请取消密码、另存为 .xlsx 后重新上传。",
        en="This workbook is encrypted with a password and cannot be read. Remove the password, save it "
        "as .xlsx and upload it again.",
    ),
    "file.is_markup": Sentences(
        zh=f"这是网页或 XML 文件，不是文件清单（下载时可能保存了登录页面）。{_FORMATS_ZH}",
        en="This is a web page or an XML file, not a file list; a download may have saved a sign-in "
        "page. "
        f"{_FORMATS_EN}",
    ),
    "file.is_json_array": Sentences(
        zh="这是一个 JSON 数组，清单要求每行一个 JSON 对象（NDJSON）。请去掉首尾的方括号和行尾逗号，每个"
        "对象占一行。",
        en="This is one JSON array; a list needs one JSON object a line (NDJSON). Take away the outer "
        "brackets and the commas between lines, and put each object on its own line.",
    ),
    "file.is_xlsx": Sentences(
        zh="文件内容是 XLSX 工作簿，与声明的类型不符。请以 XLSX 类型上传，或另存为声明的格式。",
        en="The content is an XLSX workbook, not what was declared. Upload it as XLSX, or save it in "
        "the declared format.",
    ),
    "file.is_ndjson": Sentences(
        zh="文件内容是 NDJSON（每行一个 JSON 对象），与声明的类型不符。请以 NDJSON 类型上传，或另存为声"
        "明的格式。",
        en="The content is NDJSON (one JSON object a line), not what was declared. Upload it as NDJSON, "
        "or save it in the declared format.",
    ),
    "file.is_text": Sentences(
        zh="文件内容是普通文本，与声明的类型不符。请按实际格式（CSV、TSV）上传，或另存为声明的格式。",
        en="The content is plain text, not what was declared. Upload it as what it is (CSV, TSV), or "
        "save it in the declared format.",
    ),
    "file.not_ndjson": Sentences(
        zh="没有一行是完整的 JSON 对象，无法按 NDJSON 读取。请确保每个对象写在一行内，不要换行缩进。",
        en="No line is a complete JSON object, so this is not NDJSON. Write each object on one line, "
        "without line breaks or indentation inside.",
    ),
    "file.not_xlsx": Sentences(
        zh="工作簿已损坏或不是标准的 XLSX 文件，无法读取。请在 Excel 或 WPS 中打开，另存为“Excel 工作簿"
        "（.xlsx）”后重新上传。",
        en="The workbook is damaged or not a standard XLSX file. Open it in Excel or WPS, save it as "
        "“Excel Workbook (.xlsx)” and upload it again.",
    ),
    "file.unpacked_too_large": Sentences(
        zh="工作簿解压后超过 {0} MB，可能含有大量空白格式或并非正常文件。请只复制清单的数据到新工作簿，"
        "或改用 CSV。",
        en="The workbook unpacks to more than {0} MB; it may carry formatted empty cells or be no "
        "ordinary file. Copy only the list's data into a new workbook, or use CSV.",
    ),
    "file.several_sheets": Sentences(
        zh="工作簿中有 {0} 个以上含内容的可见工作表，无法确定哪一个是清单。请只保留一个，或隐藏其余工作"
        "表后重新上传。",
        en="At least {0} visible sheets have content, so it is not clear which one is the list. Keep "
        "one, or hide the others, and upload the workbook again.",
    ),
    "file.too_many_rows": Sentences(
        zh="清单超过 {0} 行，超出一次备份的上限。请拆分为多个备份，或合并打包数据文件。",
        en="The list has more than {0} rows, the most one backup can have. Split it into several "
        "backups, or pack data files together.",
    ),
    "header.too_many_columns": Sentences(
        zh="表头超过 {0} 列，上限为 {0} 列。请确认第一行为列名，并删除与清单无关的列。",
        en="The header has more than {0} columns, the most a list can have. Check that the first line "
        "names the columns, and delete columns the list does not need.",
    ),
    "header.unnamed": Sentences(
        zh="表头第 {0} 列没有列名，无法识别该列内容。请补上列名或删除该列。",
        en="Column {0} of the header has no name, so its content cannot be told. Name it or delete the "
        "column.",
    ),
    "header.duplicate": Sentences(
        zh="表头第 {0} 列与第 {1} 列同名，无法区分。请改名或删除其中一列。",
        en="Columns {0} and {1} of the header have the same name and cannot be told apart. Rename or "
        "delete one.",
    ),
    "header.too_long": Sentences(
        zh="表头第 {0} 列的列名超过 {1} 个字符，第一行可能不是列名。请在清单第一行写上列名。",
        en="The name of column {0} is longer than {1} characters; the first line may not be a header. "
        "Put the column names on the list's first line.",
    ),
    "header.nul": Sentences(
        zh="表头第 {0} 列含有空字符（NUL），文件可能是没有标记的 UTF-16 或不是文本。请另存为“CSV UTF-8”"
        "后重新上传。",
        en="The name of column {0} has a NUL character; the file may be UTF-16 without its mark, or not "
        "text. Save it as “CSV UTF-8” and upload it again.",
    ),
    "row.cells": Sentences(
        zh="该行有 {1} 个单元格，表头有 {0} 列，无法对应。请检查是否多了或少了分隔符，含分隔符的内容须加"
        "英文双引号。",
        en="This row has {1} cells and the header {0} columns, so they cannot be matched. Look for a "
        "missing or extra separator; text that contains the separator must stand in double quotes.",
    ),
    "row.quotes": Sentences(
        zh="该行的英文双引号不成对或位置有误，无法分列。请删除多余的双引号；内容中的双引号应写成两个。",
        en="The double quotes of this row do not pair or stand in the wrong place, so its cells cannot "
        "be separated. Delete stray quotes; write a quote inside a cell twice.",
    ),
    "row.too_long": Sentences(
        zh="该行超过 {0} 个字符，不可能是清单的一行。请检查是否缺少换行或粘贴了数据内容。",
        en="This line is longer than {0} characters, which no row of a list is. Look for a missing line "
        "break or for pasted data.",
    ),
    "row.json": Sentences(
        zh="该行不是有效的 JSON，无法读取。请检查引号、逗号和转义是否正确，每行须是一个完整的对象。",
        en="This line is not valid JSON. Check its quotes, commas and escapes; each line must be one "
        "complete object.",
    ),
    "row.not_object": Sentences(
        zh='该行是 JSON 但不是对象，无法对应列名。请写成 {{"列名": "值"}} 的形式。',
        en='This line is JSON but not an object, so it has no column names. Write it as {{"column": '
        '"value"}}.',
    ),
    "cell.nested": Sentences(
        zh="该列的值是列表或对象，清单只接受文字和数字。请改为单个值；有多个文件时每个文件写一行。",
        en="The value is a list or an object; a list of files takes text and numbers only. Give one "
        "value; several files take a line each.",
    ),
    "cell.nul": Sentences(
        zh="该单元格含有空字符（NUL），无法保存。请删除该字符，或重新导出清单。",
        en="This cell has a NUL character, which cannot be stored. Delete it, or export the list again.",
    ),
    "cell.too_long": Sentences(
        zh="该单元格超过 {0} 个字符。请缩短内容，或检查是否缺少分隔符、换行或双引号。",
        en="This cell is longer than {0} characters. Shorten it, or look for a missing separator, line "
        "break or quote.",
    ),
}
"""Closed set of codes; each with its Chinese and English sentence."""
