from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Response
from leeward_azure.tables.containers import EMPTY, LONGEST, Session
from tests.azure import oracle

ONE, OTHER = "Sl8fALN4sw4=", "+9kEANVq0wA="
"""Resource ids of containers."""


def told(token: str, owner: str | None = ONE) -> Response:
    path = {} if owner is None else {"x-ms-content-path": owner}
    return Response(200, {"x-ms-session-token": token, **path})


def test_an_answer_that_does_not_name_the_container_is_of_the_same() -> None:
    """Nor does the id of a database or a document name another."""
    session = EMPTY.after(told("0:1#1"))
    for path in (None, "Sl8fAA==", "Sl8fALN4sw4CAAAAAAAAAA==", ""):
        assert session.after(told("0:1#2", path)) == (ONE, {"0": "1#2"})


def test_the_first_word_of_the_owner_keeps_what_was_seen() -> None:
    """The first answers may not have named it."""
    assert EMPTY.after(told("0:1#1", None)).after(told("1:1#2")) == (ONE, {"0": "1#1", "1": "1#2"})


VECTORS = st.builds(
    lambda version, number, regions: "#".join([str(version), str(number), *regions]),
    st.integers(-1, 3),
    st.integers(-1, 99),
    st.lists(st.integers(0, 99), min_size=2, max_size=2).map(
        lambda numbers: [f"{region}={number}" for region, number in enumerate(numbers)]
    ),
)


@given(VECTORS, VECTORS)
def test_tokens_merge_as_azure_cosmos_merges_them(one: str, other: str) -> None:
    """The numbers of each range and region go up."""
    merged = EMPTY.after(told(f"0:{one}")).after(told(f"0:{other}")).tokens["0"]
    assert merged == oracle.merged_session(one, other)


@given(st.lists(VECTORS | st.integers(0, 99).map(str) | st.just("x#y"), max_size=6))
def test_the_order_of_answers_does_not_matter(tokens: list[str]) -> None:
    """Two threads that merge the same answers come to the same, of one version at least."""
    same = [f"1#{token.partition('#')[2]}" for token in tokens if token.count("#") > 1]
    forth, back = EMPTY, EMPTY
    for token in same:
        forth = forth.after(told(f"0:{token}"))
    for token in reversed(same):
        back = back.after(told(f"0:{token}"))
    assert forth.join() == back.join()


def test_regions_that_only_one_token_has_are_kept() -> None:
    """azure-cosmos refuses such tokens; here nothing that was seen is lost."""
    session = EMPTY.after(told("0:1#10#1=5")).after(told("0:1#9#2=7"))
    assert session.tokens["0"] == "1#10#1=5#2=7"


def test_plain_numbers_are_tokens_too() -> None:
    """As old accounts write them."""
    assert EMPTY.after(told("0:12")).after(told("0:9")).tokens == {"0": "12"}
    assert EMPTY.after(told("0:12")).after(told("0:1#9")).tokens == {"0": "1#9"}


def test_a_long_session_is_cut_at_a_token() -> None:
    """The latest are kept; a header has an end."""
    many = {str(part): f"1#{part}" for part in range(2000)}
    joined = Session(ONE, many).join()
    assert len(joined) <= LONGEST
    assert joined.endswith(",1999:1#1999")
    first = joined.partition(",")[0]
    assert first == "{0}:1#{0}".format(first.partition(":")[0])
