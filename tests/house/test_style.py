"""The budget of style: functions, files and packages stay small. What is over is listed; the list only gets shorter."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "src" / "sorairo"

MEDIAN_FUNCTION, NINE_IN_TEN_FUNCTIONS, LONGEST_FUNCTION = 12, 40, 80
LONGEST_FILE, LARGEST_PACKAGE, LARGEST_LIBRARY = 500, 3800, 25_000
LEAST_TESTS, MOST_TESTS = 0.8, 1.2  # lines of tests for each line of the library

# Files that are over the limit, with their lines; to be made shorter, never longer, and no file is added.
LONG_FILES: dict[str, int] = {}

LANDFILLS = {"utils", "util", "common", "helpers", "helper", "core", "base", "manager", "misc"}
MACHINES = ["/" + "root/", "/" + "tmp/", "/" + "work/", "/" + "home/", "/" + "Users/"]
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
TEXTS = {".py", ".md", ".toml", ".json", ".cfg", ".txt", ".yaml", ".yml", ""}
SKIPPED = {".git", ".venv", "runs", "tests", "__pycache__", "build", "dist", "node_modules"}


def sources(folder: Path = LIBRARY) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def num_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions() -> Iterator[tuple[int, str]]:
    """Lines of every function, its docstring included, and where it is."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.name}"


def own_texts() -> Iterator[Path]:
    """Every text file of the repository that people wrote; tests may need strange paths."""
    for entry in sorted(ROOT.iterdir()):
        if entry.name in SKIPPED or (entry.name.startswith(".") and entry.name not in (".ci", ".gitignore")):
            continue
        for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
            if path.is_file() and path.suffix in TEXTS and not SKIPPED & set(path.parts) and "_cache" not in str(path):
                yield path


def test_functions_are_short() -> None:
    lengths = sorted(length for length, _ in functions())
    assert median(lengths) <= MEDIAN_FUNCTION
    assert quantiles(lengths, n=10)[-1] <= NINE_IN_TEN_FUNCTIONS
    assert [(length, name) for length, name in functions() if length > LONGEST_FUNCTION] == []


def test_files_are_short() -> None:
    tests = sources(ROOT / "tests")
    long = {
        str(path.relative_to(ROOT)): num_lines(path) for path in sources() + tests if num_lines(path) > LONGEST_FILE
    }
    assert set(long) <= set(LONG_FILES)
    assert all(lines <= LONG_FILES[name] for name, lines in long.items())
    assert set(LONG_FILES) <= set(long), "a file that is short now leaves the list"


def test_packages_and_the_library_are_small() -> None:
    packages = {path: sum(map(num_lines, sources(path))) for path in LIBRARY.iterdir() if path.is_dir()}
    assert {path.name: lines for path, lines in packages.items() if lines > LARGEST_PACKAGE} == {}
    assert sum(map(num_lines, sources())) <= LARGEST_LIBRARY


def test_tests_are_neither_few_nor_a_burden(record_property: pytest.RecordProperty) -> None:
    ratio = sum(map(num_lines, sources(ROOT / "tests"))) / sum(map(num_lines, sources()))
    record_property("lines_of_tests_for_each_line_of_the_library", round(ratio, 2))
    assert LEAST_TESTS <= ratio <= MOST_TESTS


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_module_is_a_landfill() -> None:
    assert [path for path in sources() if path.stem in LANDFILLS or path.parent.name in LANDFILLS] == []


@pytest.mark.parametrize("words", [MACHINES, UNFINISHED], ids=["paths of one machine", "unfinished"])
def test_no_file_holds(words: list[str]) -> None:
    found = [
        (str(path.relative_to(ROOT)), word)
        for path in own_texts()
        for word in words
        if word in path.read_text(errors="replace")
    ]
    assert found == []


def test_no_weights_are_pickled() -> None:
    assert [path for path in ROOT.glob("weights/**/*") if path.suffix in (".pt", ".pth", ".ckpt", ".pkl", ".bin")] == []
