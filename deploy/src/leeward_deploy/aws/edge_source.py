"""What a function does that Lambda@Edge does not run, found in its text.

Only what is written out is found: a name that is put together at run time is not.

Source: "Restrictions on Lambda@Edge" in CloudFront's developer guide.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from leeward.errors import ConfigError
from leeward_deploy.aws.edge_headers import is_forbidden

ENVIRONMENT = ("environ", "environb", "getenv", "getenvb", "putenv")
STATUS = ("status", "statusDescription")


class Flaw(NamedTuple):
    """Something that would fail at the edge."""

    line: int
    what: str
    remedy: str


def check_sources(sources: Mapping[str, str], event: str, *, body: bool) -> None:
    """Check the texts of modules.

    Raises:
        ConfigError: one does what cannot be done there; file, line and remedy are told.
    """
    for file, text in sources.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"{file} is not Python; correct it") from error
        for line, what, remedy in sorted(_flaws(tree, event, body)):
            raise ConfigError(f"{file}, line {line}: {what}; {remedy}")


def _flaws(tree: ast.AST, event: str, body: bool) -> Iterator[Flaw]:
    for node in ast.walk(tree):
        if _is_environment(node):
            yield Flaw(
                getattr(node, "lineno", 0),
                "Lambda@Edge has no environment variables",
                "give the value with --set NAME=VALUE, and import edge_settings",
            )
        elif isinstance(node, ast.Subscript):
            yield from _subscript(node, event, body)
        elif _is_body_read(node, event, body):
            yield Flaw(getattr(node, "lineno", 0), *_NO_BODY)


_NO_BODY = (
    "the body of the request is not there unless the association asks for it",
    "add --body, or leave it alone",
)


def _is_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return (
            isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in ENVIRONMENT
        )
    return (
        isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and any(each.name in ENVIRONMENT for each in node.names)
    )


def _subscript(node: ast.Subscript, event: str, body: bool) -> Iterator[Flaw]:
    if not isinstance(node.slice, ast.Constant) or not isinstance(node.slice.value, str):
        return
    key, line = node.slice.value, node.lineno
    is_read = isinstance(node.ctx, ast.Load)
    if event == "viewer-response" and not is_read and key in (*STATUS, "body"):
        yield Flaw(
            line,
            f"a function for viewer-response cannot change the {key} of an answer",
            "package it for origin-response",
        )
    if is_read and key == "body" and event.endswith("request") and not body:
        yield Flaw(line, *_NO_BODY)
    if not is_read and _name_in(node.value) == "headers":
        of = event.rpartition("-")[2]
        if is_forbidden(key, of):
            yield Flaw(
                line,
                f"CloudFront does not let a function change {key} in a {of}",
                "choose another header, or change it at the origin",
            )


def _is_body_read(node: ast.AST, event: str, body: bool) -> bool:
    return (
        not body
        and event.endswith("request")
        and isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and _name_in(node.func.value) == "request"
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == "body"
    )


def _name_in(node: ast.expr) -> object:
    """Return what a value is called: a name, an attribute, or a key."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value
    return None
