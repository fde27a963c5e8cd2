from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache

from tests.house.workspace import ROOT

SOURCE = ROOT / "src/leeward"

PROVIDER = re.compile(r"aws|gcp|(azure|google|amazon|boto).*")
PRODUCT = re.compile(
    r"(?i:dynamo|cosmos|firestore|event ?bridge|event ?grid|pub/?sub|cloud (?:run|tasks|functions))"
    r"|Lambda\b"
)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
EXAMPLE_TARGET = re.compile(r"``(aws|azure|google)[a-z0-9:,-]*``")
"""A docstring may show what a target's name or an order looks like."""

ALLOWED = {
    ("app/telemetry.py", "code"): "a value that OpenTelemetry's conventions have for a trigger",
    ("registry.py", "code"): "which package to install for a provider that is not there",
    ("config/model.py", "code"): "the alias gcp, by which many know Google Cloud",
    ("config/load.py", "code"): "the variables that the clouds' runtimes set",
    ("adapter/__init__.py", "docstring"): "whose quotas the default limits come from",
    ("cloudevents.py", "docstring"): "whose limit of a type is the narrowest",
    ("_operations/arguments.py", "docstring"): "whose expiries bound the longest",
    ("_routing/policy.py", "docstring"): "the title of the article that the jitter comes from",
    ("workflow/limits.py", "code"): "the engines whose limits every workflow is held to",
}
"""Where a provider may be named, and why."""

PRODUCTS = {
    ("app/telemetry.py", "code"): "a value that OpenTelemetry's conventions have for a trigger",
    ("config/load.py", "code"): "the runtimes that set those variables",
    ("adapter/__init__.py", "docstring"): "whose quotas the default limits come from",
    ("cloudevents.py", "docstring"): "whose limit of a type is the narrowest",
    ("_operations/arguments.py", "docstring"): "whose expiries bound the longest",
}
"""Where a product may be named, and why."""


def _docstring_starts(source: str) -> set[tuple[int, int]]:
    """Give where the bare strings stand: docstrings, those of attributes included."""
    return {
        (node.value.lineno, node.value.col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def _texts(source: str) -> Iterator[tuple[str, str]]:
    """Give every name, string and comment of `source`, with the kind of place it stands in."""
    docstrings = _docstring_starts(source)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING and token.start in docstrings:
            yield "docstring", EXAMPLE_TARGET.sub("", token.string)
        else:
            yield "code", token.string


@cache
def _texts_of_core() -> list[tuple[str, str, str]]:
    """Return the texts of all modules, with the module and the kind of place."""
    return [
        (path.relative_to(SOURCE).as_posix(), kind, text)
        for path in sorted(SOURCE.rglob("*.py"))
        for kind, text in _texts(path.read_text(encoding="utf-8"))
    ]


def _names_a_provider(text: str) -> bool:
    return bool(
        PRODUCT.search(text) or any(PROVIDER.fullmatch(word.lower()) for word in WORD.findall(text))
    )


def kinds_naming_a_provider(source: str) -> set[str]:
    """Give the kinds of place, "code" or "docstring", that name a provider or its product."""
    return {kind for kind, text in _texts(source) if _names_a_provider(text)}


def test_core_names_a_product_only_where_it_says_why() -> None:
    """Forms and profiles of products belong to their adapters; in core a source may be named."""
    found = {(path, kind) for path, kind, text in _texts_of_core() if PRODUCT.search(text)}
    assert found == set(PRODUCTS)


def test_core_names_a_provider_only_where_it_says_why() -> None:
    """A new cloud needs no change of the core, so the core has no business with names of clouds."""
    found = {(path, kind) for path, kind, text in _texts_of_core() if _names_a_provider(text)}
    assert found == set(ALLOWED)


def test_the_search_sees_every_kind_of_place() -> None:
    """Names, strings, f-strings and comments count; look-alikes and example targets do not."""
    naming = ["boto3 = 1", "x = 'eu.amazonaws.com'", "x = f'{y} Azure'", "# as GCP does"]
    naming += [
        "class AwsThing: ...",
        "GOOGLE_CLOUD = 1",
        "class DynamoDBThing: ...",
        "firestore = 1",
    ]
    naming += ["# Cosmos DB's", "x = 'Pub/Sub'", "EventGrid = 1", "x = 'a Lambda function'"]
    assert [kinds_naming_a_provider(each) for each in naming] == [{"code"}] * len(naming)
    assert kinds_naming_a_provider('"""As on Google."""') == {"docstring"}
    assert kinds_naming_a_provider('"""Such as ``aws:us-east-1,google``."""') == set()
    assert kinds_naming_a_provider("draws = flaws = 'laws'") == set()


def test_the_search_sees_products() -> None:
    """In every spelling; the keyword of Python is not a product."""
    names = ["DynamoDB", "COSMOS", "Event Grid", "Pub/Sub", "pubsub", "AWS Lambda", "EventBridge"]
    assert [each for each in names if not PRODUCT.search(each)] == []
    assert not PRODUCT.search("lambda")
    assert not PRODUCT.search("cloud")
