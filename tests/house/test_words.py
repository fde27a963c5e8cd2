"""One name for one meaning, and plain words: the lists are in `tests.house.words`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from leeward_contract_tests.rows import each_row
from tests.house.words import (
    NAMES,
    RETIRED,
    VERBS,
    Finding,
    in_name,
    in_page,
    in_path,
    in_prose,
    in_python,
    in_users_docstrings,
    in_users_page,
    in_users_prose,
)
from tests.house.workspace import ROOT

FOLDERS = (
    "src",
    "adapters",
    "extras",
    "contract_tests/src",
    "cloud_tests",
    "examples",
)
PAGES = ("README.md", "CONTRIBUTING.md", "contract_tests/README.md", "examples/README.md")
TESTS = ("tests/cli", "tests/client", "tests/config", "tests/docs", "tests/house")
"""Whose names count; what their docstrings say is their own matter."""

NOT_FOR_USERS = ("design.md", "security.md", "reliability.md", "one-call.md")
"""Pages for contributors, and pages that programs write."""

PUBLIC = (
    *("client", "aio", "values", "errors"),
    *("app/app", "app/context", "workflow/flow", "values/runs"),
)
"""Modules, or packages, whose docstrings the reference shows."""

GLOSSARY = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^\| \*\*([^*]+)\*\* \| (.+) \|$", GLOSSARY, re.MULTILINE)


def _files(*folders: str, suffix: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob(f"*{suffix}"))]
    return [path for path in found if "_build" not in path.parts and path.name != "words.py"]


def _findings(path: Path) -> Iterator[Finding]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from in_page(text)
    else:
        yield from in_path(path.relative_to(ROOT))
        yield from in_python(text)


def _listed(paths: list[Path]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{finding}" for path in paths for finding in _findings(path)]


def test_the_code_uses_plain_words() -> None:
    """Names, docstrings, comments and messages have no word of the lists."""
    assert _listed(_files(*FOLDERS, suffix=".py")) == []


def test_the_pages_use_plain_words() -> None:
    """So do the documentation and the README files."""
    pages = [*_files("docs", suffix=".md"), *(ROOT / page for page in PAGES)]
    assert _listed(pages) == []


def test_the_users_pages_say_who_does_what() -> None:
    """No turn of phrase of the list, and no sentence that begins with what it is about."""
    found = [path for path in _files("docs", suffix=".md") if path.name not in NOT_FOR_USERS]
    pages = [*found, *(ROOT / page for page in PAGES)]
    assert [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in pages
        for finding in in_users_page(_without_generated_rows(path))
    ] == []


def _without_generated_rows(path: Path) -> str:
    """Return a page; the rows of the routing's tables are of the code, and left out."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^\| `.*$", "", text, flags=re.MULTILINE) if path.name == "routing.md" else text


def test_the_public_classes_and_commands_say_who_does_what() -> None:
    """Docstrings, help and messages of what users call have no turn of phrase of the list."""
    modules = _files("src/leeward/cli/commands", suffix=".py")
    for name in PUBLIC:
        module = ROOT / f"src/leeward/{name}.py"
        found = [module] if module.exists() else _files(f"src/leeward/{name}", suffix=".py")
        assert found, f"{name} is not there any more"
        modules += found
    assert [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in modules
        for finding in in_users_docstrings(path.read_text(encoding="utf-8"))
    ] == []


def test_no_method_of_a_client_is_explained_by_itself() -> None:
    """A docstring of `Client` may lead to another method, and one of `AsyncClient` to `Client`."""
    source = (ROOT / "src/leeward/client.py").read_text(encoding="utf-8")
    methods = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    texts = {node.name: ast.get_docstring(node) or "" for node in methods}
    assert len(texts) > 30
    assert [name for name, text in texts.items() if re.search(rf"`[\w.]*\b{name}`", text)] == []


def test_the_tests_have_plain_names() -> None:
    """The modules and helpers of the tests have the same names for the same things."""
    found = [
        f"{path.relative_to(ROOT)}: {finding}"
        for path in _files(*TESTS, suffix=".py")
        for finding in in_path(path.relative_to(ROOT))
    ]
    assert found == []


def test_the_glossary_is_one_line_for_each_term() -> None:
    """Its terms are in alphabetical order, none is there twice, and each is explained shortly."""
    names = [name for name, _ in TERMS]
    assert len(names) > 20
    assert names == sorted(set(names), key=str.lower)
    assert len(TERMS) == len(re.findall(r"^\| \*\*", GLOSSARY, re.MULTILINE))
    assert [name for name, text in TERMS if len(text) > 240] == []


def test_every_term_of_the_glossary_is_used() -> None:
    """A term that neither the code nor another page has is no term of leeward."""
    pages = [path for path in _files("docs", suffix=".md") if path.name != "glossary.md"]
    texts = [path.read_text(encoding="utf-8") for path in pages + _files("src", suffix=".py")]
    everything = " ".join("\n".join(texts).lower().replace("_", " ").split())
    assert [name for name, _ in TERMS if name.lower() not in everything] == []


def test_the_glossary_knows_the_words_of_the_design() -> None:
    """The terms for which the field has no name are explained."""
    names = {name for name, _ in TERMS}
    assert {"target", "outcome", "effect", "home", "receipt"} <= names


def test_no_term_of_the_glossary_is_on_a_list() -> None:
    """The lists and the glossary do not contradict each other."""
    assert [name for name, _ in TERMS if name in NAMES or name in RETIRED or name in VERBS] == []


@each_row(
    "text, found",
    [
        ("A door of the client.", 1),
        ("Of course not.", 0),
        ("The course of an attempt.", 1),
        ("cursor is none that a page has given", 2),
        ("None if there is none.", 0),
        ("There is no such file.", 0),
        ("The value is no JSON.", 1),
        ("It is no longer there.", 0),
        ("has a url that is nobody's known", 1),
        ("It is a object.", 1),
        ("an outdoor shop", 0),
        ("The target was let rest; we let the rest run.", 1),
    ],
)
def test_the_search_sees_words_in_prose(text: str, found: int) -> None:
    """It sees them at both ends of a line, and takes no other word for one."""
    assert len(list(in_prose(text, 1))) == found


@each_row(
    "text, found",
    [
        ("It has its effect once all the same.", 1),
        ("Allow such a one to call it, or such ones.", 2),
        ("A target which counts as well.", 2),
        ("It takes events as well as messages.", 0),
        ("The answer is that of the function.", 1),
        ("A proof that of itself says nothing.", 0),
        ("Name those that failed.", 1),
        ("the one\nthat failed", 1),
        ("It tells of a run, and goes on with the next. Two are gone on with.", 3),
    ],
)
def test_the_search_sees_phrases(text: str, found: int) -> None:
    """Also over the end of a line, and no phrase that only looks alike."""
    assert len(list(in_users_prose(text, 1))) == found


@each_row(
    "text, found",
    [
        ("Of deletions a handler hears nothing.", 1),
        ("It stays. Of two writes the later one counts.", 1),
        ("Of course it does.", 0),
        ("| Of each call | the part of a call |", 0),
        ("The rights of the role are `Of the queue`.", 0),
    ],
)
def test_the_search_sees_inversions(text: str, found: int) -> None:
    """Only at the beginning of a sentence."""
    assert len(list(in_users_page(text))) == found


@each_row(
    "name, found",
    [
        ("_doors", 1),
        ("DoorTo", 1),
        ("_take_back", 1),
        ("indoor", 0),
        ("of_course_not", 1),
        ("AskedBack", 2),
        ("replace", 0),
        ("TaskBackoff", 0),
    ],
)
def test_the_search_sees_words_in_names(name: str, found: int) -> None:
    """Each part of a name counts by itself, in both spellings."""
    assert len(list(in_name(name, 1))) == found


def test_the_search_sees_every_part_of_a_module() -> None:
    """Docstrings, comments, messages, f-strings and all kinds of names count."""
    source = '''"""Give a door."""
import os as doors
class Door:
    """Says it."""
    fate = 1
def tell_journey(course):
    """Tell it."""
    # a door
    self.door = f"door {course}"
'''
    found = [(finding.line, finding.text) for finding in in_python(source)]
    assert sorted(found) == [
        (1, "docstring: Give"),
        (1, "door"),
        (2, "doors"),
        (3, "Door"),
        (3, "docstring: Says"),
        (5, "fate"),
        (6, "course"),
        (6, "docstring: Tell"),
        (6, "tell_journey"),
        (8, "door"),
        (9, "door"),
        (9, "door"),
    ]
