"""What a function says of itself is what `inspect` says of it, and that need not be loaded."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from leeward import AsyncClient
from leeward.app.signatures import is_coroutine_function, is_generator_function, parameters_of
from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT


def plain(a: int, b: Any = 1, *, c: str, d: int = 2) -> None: ...


async def awaited(a: int, /, b: int = 3) -> None: ...


def many(*a: int, **b: int) -> None: ...


def named(a: int, **b: int) -> None: ...


def late(a: int) -> Any:
    yield a


async def late_async(a: int) -> Any:
    yield a


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def around(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    return around


def marked() -> None: ...


if hasattr(inspect, "markcoroutinefunction"):  # since Python 3.12
    inspect.markcoroutinefunction(marked)


class Handler:
    """Has methods of each kind."""

    def method(self, a: int, b: int = 1) -> None: ...

    async def awaited(self, a: int) -> None: ...

    @staticmethod
    def static(a: int) -> None: ...

    def __call__(self, a: int, b: int = 2) -> None: ...


HANDLER = Handler()


@each_row(
    "function",
    [
        *(
            plain,
            awaited,
            marked,
            many,
            named,
            late,
            late_async,
            decorated(plain),
            decorated(awaited),
            partial(plain, 1),
        ),
        *(HANDLER.method, HANDLER.awaited, Handler.static, Handler.method, HANDLER),
        *(
            lambda: None,
            lambda a, b=5: a,
            AsyncClient.store_data,
            partial(awaited, 1),
            partial(late, 1),
        ),
    ],
)
def test_it_is_what_inspect_says(function: Callable[..., Any]) -> None:
    """Of plain functions, methods, and whatever else can be called."""
    assert is_coroutine_function(function) == inspect.iscoroutinefunction(function)
    yields = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    assert is_generator_function(function) == yields
    found = list(inspect.signature(function).parameters.values())
    several = [each for each in found if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    positional, keyword, defaults, takes_any = parameters_of(function)
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert list(positional) == [each.name for each in found if each.kind in by_position]
    assert list(keyword) == [each.name for each in found if each.kind is each.KEYWORD_ONLY]
    assert defaults == {each.name: each.default for each in found if each.default is not each.empty}
    assert takes_any == bool(several)


def test_a_small_app_does_not_load_inspect() -> None:
    """Nor for a typed handler, nor for an idempotent one."""
    program = (
        "from __future__ import annotations\n"
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "from leeward import App\n"
        "from leeward.app import idempotent\n"
        "from leeward.app.handlers import answer\n"
        "from leeward.app.triggers import Delivery, Platform\n"
        "from leeward.clock import SystemClock\n"
        "app = App('quiet')\n"
        "@app.function(name='f')\n"
        "@idempotent(table='keys', key='order.id', principal=None)\n"
        "def f(order: dict[str, str]) -> str: return order['id']\n"
        "@app.function(name='g')\n"
        "def g(order: dict[str, str]) -> str: return order['id']\n"
        "given = Delivery(b'{\"id\": \"1\"}', 'call', 'key', 5.0)\n"
        "found = answer(app.handlers['g'], given, Platform('nimbus', None, SystemClock()))\n"
        "print(found.body, 'inspect' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("b'\"1\"' False\n", "")
