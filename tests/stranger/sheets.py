"""Opens the sheets that the program writes in readers that are not its own, and compares them cell by cell.

    sheets.py make SHEET.csv
        writes a sheet of leads, some of which the program refuses
    sheets.py compare SHEET.csv VERDICTS.json REJECTED.xlsx RECEIPT.xlsx TEMPLATE.xlsx...
        what was refused must be there as it stood, and each row's place and lead id in the receipt

Read by openpyxl, by LibreOffice where it is installed (YICHUAN_REQUIRE_SOFFICE=1: it must be), and, for the markup itself, by
Python's own parser.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import openpyxl

HEADER = (
    "线索编号 姓名 性别 公民身份号码 户籍地代码 户籍地 流入地代码 流入地 毒品种类 涉嫌行为 事实依据 采集方式 采集时间 "
    "评级标准 来源可靠性 信息可信度 紧急程度 处理限制 联系电话 车辆号牌 备注"
).split()
# An invented person, born in 1900.
PERSON = (
    "{} 钱癸子 男 522225190010142478 520624111 贵州省铜仁市思南县 440232 广东省韶关市乳源县 不详 贩卖 "
    "流入地查获包裹指向该人寄递 讯问笔录 2026-06-01 admiralty D 1 普通 H0 13800000000 贵D54321 {}"
)
# What is changed in some rows, and makes the program refuse them.
FAULTS = {
    2: {"姓名": "张三、李四"},
    3: {"事实依据": ""},
    5: {"公民身份号码": "52222519001014247×", "备注": "<&>\"'\n第二行 "},
    7: {"处理限制": "H9", "备注": "𠮷" * 100},
}
ROWS = 8
ADDED = 4  # columns that the program puts before those of the sheet
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def rows():
    for nth in range(1, ROWS + 1):
        row = PERSON.format(f"ST2026{nth:05}", f"第{nth}条").split(" ")
        for column, text in FAULTS.get(nth, {}).items():
            row[HEADER.index(column)] = text
        yield row


def make(path):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows()])


def position(reference):
    letters, row = re.fullmatch(r"([A-Z]+)([0-9]+)", reference).groups()
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return int(row), column


def sound(path):
    """Every part well-formed; every row and every cell once, in rising order."""
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None, path
        names = package.namelist()
        assert len(names) == len(set(names)), path
        for name in names:
            if not name.endswith((".xml", ".rels", ".vml")):
                continue
            root = ElementTree.fromstring(package.read(name))
            before = 0
            for row in root.iter(SHEET + "row"):
                number = int(row.get("r"))
                assert number > before, f"{path} {name}: row {number} after {before}"
                before = number
                cells = [position(cell.get("r")) for cell in row]
                assert all(at[0] == number for at in cells), f"{path} {name}: row {number}"
                assert cells == sorted(set(cells)), f"{path} {name}: row {number}"


def read(path):
    """The text of all cells that have any, by worksheet, row and column."""
    book = openpyxl.load_workbook(path)
    return {
        (sheet.title, cell.row, cell.column): str(cell.value)
        for sheet in book
        for line in sheet.iter_rows()
        for cell in line
        if cell.value is not None and str(cell.value) != ""
    }


def soffice():
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if not found and os.environ.get("YICHUAN_REQUIRE_SOFFICE"):
        sys.exit("LibreOffice is not installed")
    return found


def reread(path, program):
    """As LibreOffice reads it and writes it again."""
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [program, f"-env:UserInstallation=file://{home}/profile", "--headless", "--convert-to", "xlsx", "--outdir", home, str(path)],
            check=True,
            capture_output=True,
            timeout=240,
        )
        return read(Path(home) / Path(path).name)


def table(cells):
    """The rows of a workbook of one worksheet, from the first column to the last."""
    assert len({sheet for sheet, _, _ in cells}) == 1
    height = max(row for _, row, _ in cells)
    width = max(column for _, _, column in cells)
    by = {(row, column): text for (_, row, column), text in cells.items()}
    return [[by.get((row, column), "") for column in range(1, width + 1)] for row in range(1, height + 1)]


def refused(cells, sheet, verdicts):
    header, *back = table(cells)
    assert header[ADDED:] == sheet[0], header
    wanted = [verdict["row"] for verdict in verdicts if verdict["verdict"] == "reject"]
    assert wanted == [nth + 1 for nth in FAULTS], wanted
    assert [int(row[1]) for row in back] == wanted, back
    for row, number in zip(back, wanted):
        was = sheet[number - 1]
        row += [""] * (ADDED + len(was) - len(row))
        assert row[2], f"row {number} has no reason"
        assert row[ADDED:] == was, f"row {number}: {row[ADDED:]} was {was}"


def receipt(cells, verdicts):
    lines = table(cells)
    by_row = {line[1]: line for line in lines if line[1].isdigit()}
    assert len(by_row) == len(verdicts), by_row
    for verdict in verdicts:
        line = by_row[str(verdict["row"])]
        assert line[4] == (verdict["lead_id"] or ""), (line, verdict)
        assert bool(line[8]) == (verdict["verdict"] == "reject"), (line, verdict)
    # The last line has room to sign: what was lost where a row stood twice.
    assert sum(bool(text) for text in lines[-1]) == 3, lines[-1]


def template(cells):
    sheets = list(dict.fromkeys(sheet for sheet, _, _ in cells))
    assert len(sheets) == 3, sheets
    form = {column: text for (sheet, row, column), text in cells.items() if sheet == sheets[0] and row == 1}
    explained = [text for (sheet, row, column), text in sorted(cells.items()) if sheet == sheets[1] and column == 1]
    assert len(form) == len(HEADER), form
    for column, text in form.items():
        name = text.removesuffix(" *")
        assert any(line.endswith("　" + name) for line in explained), name
        assert name == HEADER[column - 1] or name.isascii(), name


def compare(sheet, verdicts, rejected, receipt_sheet, templates):
    with open(sheet, encoding="utf-8", newline="") as file:
        sheet = list(csv.reader(file))
    with open(verdicts, encoding="utf-8") as file:
        verdicts = [json.loads(line) for line in file]
    program = soffice()
    checks = [
        (rejected, lambda cells: refused(cells, sheet, verdicts)),
        (receipt_sheet, lambda cells: receipt(cells, verdicts)),
        *((path, template) for path in templates),
    ]
    count = 0
    for path, check in checks:
        sound(path)
        cells = read(path)
        check(cells)
        count += len(cells)
        if program:
            again = reread(path, program)
            assert again == cells, f"{path}: {set(again.items()) ^ set(cells.items())}"
    print(f"{len(checks)} workbooks, {count} cells; LibreOffice: {'yes' if program else 'not installed'}")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        _, _, made, said, rejected_rows, receipt_of, *forms = sys.argv
        compare(made, said, rejected_rows, receipt_of, forms)
