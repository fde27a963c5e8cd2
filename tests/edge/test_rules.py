"""Rules that no edge could keep, or that would do harm, are refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward.errors import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.edge.rules import overlaps, read_rules, rules_of
from tests.edge.test_exports import rule


@each_row(
    "written, message",
    [
        ([], "at least one"),
        (["/a"], "rule 1: it is not a table"),
        ([{"path": "/a", "deny": True}], "rule 1: name must be"),
        ([rule(name="R", deny=True)], "rule 'R': name must be small letters"),
        ([rule(rewritten="/b/*")], "did you mean 'rewrite'"),
        ([rule(path="a", deny=True)], "path must be a path"),
        ([rule(path="/a?b", deny=True)], "without a query"),
        ([rule(path="/a*", deny=True)], "after a slash"),
        ([rule(path="/a//b", deny=True)], "double slashes"),
        ([rule(redirect="/../*")], "/./ and /../"),
        ([rule()], "it must either redirect"),
        ([rule(deny=True, redirect="/b")], "make it two rules"),
        ([rule(redirect="/b", set_response_headers={"A": "1"})], "make it two rules"),
        ([rule(deny=False)], "deny must be true"),
        ([rule(deny=True, status=301)], "status belongs to a redirect"),
        ([rule(redirect="/b", status=303)], "301, 302, 307, 308"),
        ([rule(redirect="http://b.example/")], "https:// with a host"),
        ([rule(redirect="https://b.example@c.example/")], "https:// with a host"),
        ([rule(redirect="//c.example/")], "redirect must be a path"),
        ([rule(path="/a", redirect="/b/*")], "path does not"),
        ([rule(redirect="/*")], "another host"),
        ([rule(redirect="/a/b")], "again and again"),
        (
            [rule(redirect="/b/*"), rule(name="s", path="/b/*", redirect="/a/*")],
            "rule 'r' may redirect to itself",
        ),
        ([rule(deny=True, countries=["de"])], "codes of ISO 3166"),
        ([rule(deny=True, countries=["DE"], except_countries=["FR"])], "exclude each other"),
        ([rule(set_request_headers={"A B": "1"})], "letters, digits and hyphens"),
        ([rule(set_request_headers={"Host": "b"})], "no edge lets the header Host"),
        ([rule(remove_response_headers=["Transfer-Encoding"])], "Transfer-Encoding"),
        ([rule(set_request_headers={"A": "1"}, remove_request_headers=["a"])], "named twice"),
        ([rule(set_request_headers={"A": "x\r\nB: y"})], "value of A must be visible ASCII"),
        ([rule(set_request_headers={"A": "{client_region}"})], "without braces"),
        ([rule(deny=True), rule(deny=True)], "two rules are named 'r'"),
        ([rule(rewrite="/b/*"), rule(name="s", deny=True)], "move it to the beginning"),
    ],
)
def test_a_wrong_rule_is_refused_by_name(written: list[Any], message: str) -> None:
    """With what is wrong, and a remedy; a header's value is not repeated."""
    with pytest.raises(ConfigError, match=message) as caught:
        rules_of({"rules": written})
    assert "\n" not in str(caught.value)


def test_a_redirect_may_shorten_its_own_path() -> None:
    """Each turn takes something away, so it ends."""
    assert len(rules_of({"rules": [rule(path="/a/b/*", redirect="/a/*")]})) == 1


def test_paths_overlap_if_one_request_matches_both() -> None:
    """Whichever of them is the longer one."""
    assert overlaps("/a/*", "/a/b/*")
    assert overlaps("/a/b", "/a/*")
    assert not overlaps("/a/*", "/a")
    assert not overlaps("/a/*", "/ab/*")


def test_a_file_is_named_where_it_cannot_be_read(tmp_path: Path) -> None:
    """Absent, not TOML, or with a wrong rule."""
    file = tmp_path / "edge.toml"
    for text, message in (
        (None, "cannot be read"),
        ("rules = ", "is not TOML"),
        ("[[rules]]\nname = 'r'\npath = '/a'\n", "rule 'r': it must either"),
        ("more = 1\n", "nothing else"),
    ):
        if text is not None:
            file.write_text(text)
        with pytest.raises(ConfigError, match=message) as caught:
            read_rules(file)
        assert str(caught.value).startswith(str(file))
