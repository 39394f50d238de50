"""File lists with a person wherever one may be put: flawless, with bad rows, and no lists at all."""

import csv
import io
import json
from collections.abc import Sequence

import openpyxl

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
RUN_TABLE = (
    *("studyAccession", "individualAccession", "individualName", "sampleAccession", "sampleDescription"),
    *("sampleName", "gender", "runAccession", "dataName", "experimentAccession", "platform", "strategy"),
)

Upload = tuple[str, bytes]
"""Media type and body."""
Rows = Sequence[tuple[str, ...]]


class CanaryLists:
    """Uploads that hold the canaries where a list of files has no use for them."""

    def __init__(self, canaries: dict[str, str]) -> None:
        self.name, self.phone = canaries["name"], canaries["phone"]
        self.cell, self.chinese = canaries["cell"], canaries["Chinese cell"]
        self._rows = [self._run(n) for n in range(3)]
        self.flawless = _delimited([RUN_TABLE, *self._rows])

    @property
    def accepted(self) -> list[Upload]:
        """Lists that are saved, some of them with findings."""
        table = [RUN_TABLE, *self._rows]
        strangers = [
            ("文件名", f"{self.name}{self.phone}"),  # a line of data in place of the header, but for one cell
            ("a.bam", "x" * 5_000),
            ("b.bam", "\0"),
        ]
        people = [("name", "姓名", "电话", "file_name"), (self.name, self.chinese, self.phone, "a.bam")]
        return [
            ("text/csv", self.flawless.encode("utf-8-sig")),
            ("text/csv", self.flawless.encode("gb18030")),
            ("text/csv", self.flawless.encode("utf-16")),
            ("text/csv", self.flawless.encode() + self._bad_rows().encode()),
            ("text/csv", _delimited(strangers).encode()),
            ("text/csv", _delimited(people).encode()),
            ("text/tab-separated-values", _delimited(table, "\t").encode()),
            ("application/x-ndjson", self._objects()),
            (XLSX, _workbook(table)),
        ]

    @property
    def refused(self) -> list[Upload]:
        """What is no list, or not of the kind it says."""
        workbook = _workbook([RUN_TABLE, *self._rows])
        return [
            ("text/csv", _delimited(self._rows).encode()),
            ("text/csv", f"{self.phone},{self.phone}\n".encode()),
            ("text/csv", workbook),
            ("text/csv", f'{{"individualName": "{self.cell}"}}'.encode()),
            ("text/csv", self.name.encode("utf-16-le") + b"\xff\xff" + self.chinese.encode("gb18030")),
            ("application/x-ndjson", f'["{self.cell}", "{self.phone}"]'.encode()),
            ("application/x-ndjson", f'{{"{self.name}": "{self.cell}'.encode()),
            (f"text/{self.phone}", self.flawless.encode()),
            (XLSX, workbook[:-90]),
        ]

    def _run(self, number: int) -> tuple[str, ...]:
        return (
            *("HRA009001", f"HRI{self.cell}", self.cell, "HRS800001", f"{self.chinese}，{self.phone}"),
            *(self.chinese, f"{self.cell}-male", f"HRR190010{number}", f"HRR190010{number}_f1.fastq.gz"),
            *("HRX900001", self.name, "WGS"),
        )

    def _bad_rows(self) -> str:
        run = self._run(7)
        long = (*run[:2], self.cell * 300, *run[3:])
        return (
            _delimited([run[:5], (*run, self.cell, self.phone), long, (*run[:-1], self.chinese[:3])])
            + f'HRA009001,"{self.cell}" x,{self.name}\n'
            + f"HRA009001,{self.cell}\0,{self.chinese},a,b,c,d,HRR1900107,x.bam,e,f,WGS\n"
        )

    def _objects(self) -> bytes:
        objects = [dict(zip(RUN_TABLE, row, strict=True)) for row in self._rows]
        nested = json.dumps(objects[0] | {"individualName": {self.name: self.cell}})
        lines = [
            *(json.dumps(each, ensure_ascii=False) for each in objects),
            *(nested, nested[:-30], f'["{self.cell}"]', self.phone),
            json.dumps(objects[1] | {self.phone: self.name}),
            json.dumps(objects[2] | {"sampleName": f"{self.cell}\0"}),
        ]
        return "\n".join(lines).encode()


def _delimited(rows: Rows, delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _workbook(rows: Rows) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
