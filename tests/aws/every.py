"""The app with a handler of every kind, on AWS's own runtime client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.house.workspace import ROOT
from tests.servers.aws.direct import DirectLambda
from tests.servers.deploying import deploy

EVERY: Final = (ROOT / "tests/app/deployed/every.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectLambda]:
    """Deploy the app once; the name of the function is given with each invocation."""
    code = deploy(tmp_path_factory.mktemp("aws") / "code", "aws", {"every.py": EVERY}, "every")
    with DirectLambda(code) as opened:
        yield opened


@pytest.fixture
def function(every: DirectLambda) -> DirectLambda:
    """Give the app, without what other tests have left."""
    seen(every)
    return every


def seen(function: DirectLambda) -> Any:
    """Return what handlers were given since the last look."""
    return function.invoke({}, function="seen").value
