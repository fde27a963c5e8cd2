"""Forms: call a function, queue a call, publish an event, start a workflow, put an object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from leeward.adapter import Capability
from leeward.app.triggers import Kind
from leeward.errors import InvalidRequest, Unsupported
from leeward.json_text import Undecodable, decode
from leeward.views import item_json
from leeward_dev.console.html import Content, element
from leeward_dev.console.layout import Notice, Page, Visit, address, button, field, form
from leeward_dev.sources import Sources

JSON: Final = "JSON; nothing stands for null."
TEXT: Final = "Text, in UTF-8. For a file: leeward object put BUCKET NAME FILE."


class Form(NamedTuple):
    """One of the forms.

    Attributes:
        title: what it does.
        button: the same, in a word or two.
        fields: returns what is to be filled in, with the choices that are known.
        send: does it.
        needs: what a target has to be able to do, or None.
    """

    title: str
    button: str
    fields: Callable[[Visit, Callable[[str], str]], Iterable[Content]]
    send: Callable[[Visit], Notice]
    needs: Capability | None = None


def show(visit: Visit) -> Page:
    """Return the forms that can work here; the one that was sent last has what was written."""
    forms = [_form(visit, kind, form) for kind, form in FORMS.items() if _is_able(visit, kind)]
    if not forms:
        return Page("Send", element("p", "No target here takes anything."))
    return Page("Send", forms)


def _form(visit: Visit, kind: str, shape: Form) -> Content:
    written = visit.notice.form if visit.notice is not None else {}
    written = written if written.get("kind") == kind else {}
    given = visit.query if visit.query.get("kind") == kind else {}

    def value(name: str) -> str:
        return written.get(name, given.get(name, ""))

    return element(
        "fieldset",
        element("legend", shape.title),
        form(
            visit,
            address("send", kind=kind),
            shape.fields(visit, value),
            element("p", button(shape.button, value="send")),
            kind=kind,
        ),
        id=kind,
    )


def _is_able(visit: Visit, kind: str) -> bool:
    """Return whether a form can work: a target does that, and has what it needs in this process."""
    sources = visit.sources
    if kind == "run":
        return sources.run_handler is not None
    if kind == "start":
        return bool(sources.definitions)
    needs = FORMS[kind].needs
    for driver in visit.drivers.values():
        stores = driver.stores()
        is_here = stores is not None and stores.runner is not None
        if needs in driver.capabilities:
            # What an embedded target calls or delivers to has to be in this process.
            return sources.app is not None or not is_here or kind == "put"
    return False


def act(visit: Visit) -> Notice:
    """Send what a form has.

    Raises:
        InvalidRequest: a field is wrong.
    """
    kind = visit.field("kind")
    if kind not in FORMS or not _is_able(visit, kind):
        raise InvalidRequest("say what to send: there is no such form", field="kind")
    done = FORMS[kind].send(visit)
    written = {name: values[-1] for name, values in visit.form.items() if name != "seal"}
    return done._replace(back={"kind": kind}, form=written)


def _json_in(visit: Visit, name: str) -> Any:
    """Return a field that holds JSON; None for an empty one.

    Raises:
        InvalidRequest: it is not JSON.
    """
    given = visit.field(name).strip()
    try:
        return decode(given) if given else None
    except Undecodable as error:
        raise InvalidRequest(f"{name} cannot be read: {error}", field=name) from None


def _optional(visit: Visit, name: str) -> str | None:
    return visit.field(name) or None


def _handlers(sources: Sources, *kinds: Kind) -> list[Any]:
    handlers = () if sources.app is None else sources.app.handlers.values()
    return [handler for handler in handlers if handler.kind in kinds]


def _functions(sources: Sources) -> list[str]:
    functions = [handler.name for handler in _handlers(sources, Kind.CALL)]
    named = [name for name, function in sources.config.functions.items() if not function.queue]
    return [*dict.fromkeys([*functions, *named])]


def _run_fields(visit: Visit, value: Callable[[str], str]) -> Iterable[Content]:
    handlers = () if visit.sources.app is None else visit.sources.app.handlers
    hint = "JSON: the payload, the event, the message, the time or the object; may be empty."
    yield field("Handler", "name", value("name"), choices=handlers, required=True)
    yield field("Input", "input", value("input"), hint=hint, rows=4)


def _run(visit: Visit) -> Notice:
    run = visit.sources.run_handler
    if run is None:
        raise Unsupported("no app runs here")
    name = visit.field("name")
    answer = run(name, visit.field("input").strip().encode())
    body = answer.body.decode(errors="replace")
    if answer.failure is not None:
        why = f"{name} has failed: {answer.failure.type}. It has run: {answer.failure.ran}."
        return Notice(why, is_good=False, payload=body)
    return Notice(f"{name} has run.", payload=body)


def _invoke_fields(visit: Visit, value: Callable[[str], str]) -> Iterable[Content]:
    functions = _functions(visit.sources)
    yield field("Function", "function", value("function"), choices=functions, required=True)
    yield field("Payload", "payload", value("payload"), hint=JSON, rows=4)
    yield field("Idempotency key", "key", value("key"), hint="Default: a new one.")


def _invoke(visit: Visit) -> Notice:
    function, payload = visit.field("function"), _json_in(visit, "payload")
    key = _optional(visit, "key")
    result = visit.sources.client.invoke(function, payload, idempotency_key=key)
    text = f"{function} has answered at {result.target}."
    return Notice(text, payload=item_json.write(result.value, indent=2))


def _enqueue_fields(visit: Visit, value: Callable[[str], str]) -> Iterable[Content]:
    queues = [handler.queue for handler in _handlers(visit.sources, Kind.MESSAGE)]
    names = [*dict.fromkeys([*_functions(visit.sources), *map(str, queues)])]
    yield field("Function or queue", "queued", value("queued"), choices=names, required=True)
    yield field("Payload", "message", value("message"), hint=JSON, rows=4)


def _enqueue(visit: Visit) -> Notice:
    name = visit.field("queued")
    receipt = visit.sources.client.enqueue(name, _json_in(visit, "message"))
    return Notice(f"{receipt.target} has queued it; its key is {receipt.idempotency_key}.")


def _publish_fields(visit: Visit, value: Callable[[str], str]) -> Iterable[Content]:
    heard = _handlers(visit.sources, Kind.EVENT)
    buses = dict.fromkeys([*(handler.bus for handler in heard), *visit.sources.config.buses])
    types = dict.fromkeys(handler.type for handler in heard if handler.type)
    yield field("Bus", "bus", value("bus"), choices=buses, required=True)
    hint = "Such as order.created."
    yield field("Type", "type", value("type"), choices=types, hint=hint, required=True)
    yield field("Subject", "subject", value("subject"), hint="May be empty.")
    yield field("Data", "data", value("data"), hint=JSON, rows=4)


def _publish(visit: Visit) -> Notice:
    receipt = visit.sources.client.publish_event(
        visit.field("bus"),
        visit.field("type"),
        _json_in(visit, "data"),
        subject=_optional(visit, "subject"),
    )
    return Notice(f"{receipt.target} has taken the event {receipt.id}.")


def _start_fields(visit: Visit, value: Callable[[str], str]) -> Iterable[Content]:
    names = [definition.name for definition in visit.sources.definitions]
    yield field("Workflow", "workflow", value("workflow"), choices=names, required=True)
    hint = "Letters, digits, - and _. A run that is there already is not started again."
    yield field("Id of the run", "run", value("run"), hint=hint, required=True)
    yield field("Input", "value", value("value"), hint=JSON, rows=4)


def _start(visit: Visit) -> Notice:
    run = visit.sources.client.start_workflow(
        visit.field("workflow"), _json_in(visit, "value"), id=visit.field("run")
    )
    return Notice(f"The run {run.id} of {run.workflow} is {run.state.value}.")


def _put_fields(visit: Visit, value: Callable[[str], str]) -> Iterable[Content]:
    heard = [handler.bucket for handler in _handlers(visit.sources, Kind.OBJECT)]
    buckets = dict.fromkeys([*heard, *visit.sources.config.buckets])
    yield field("Bucket", "bucket", value("bucket"), choices=buckets, required=True)
    yield field("Name", "object", value("object"), hint="Such as inbox/1.json.", required=True)
    yield field("Content", "content", value("content"), hint=TEXT, rows=4)


def _put(visit: Visit) -> Notice:
    bucket, name = visit.field("bucket"), visit.field("object")
    content = visit.field("content").encode(errors="replace")
    receipt = visit.sources.client.put_object(bucket, name, content)
    return Notice(f"{receipt.target} has stored {bucket}/{name}.")


FORMS: Final = {
    "run": Form("Run a handler by hand", "Run", _run_fields, _run),
    "invoke": Form("Call a function", "Call", _invoke_fields, _invoke, Capability.INVOKE),
    "enqueue": Form(
        "Queue a call or a message", "Queue", _enqueue_fields, _enqueue, Capability.ENQUEUE
    ),
    "publish": Form("Publish an event", "Publish", _publish_fields, _publish, Capability.PUBLISH),
    "start": Form("Start a workflow", "Start", _start_fields, _start),
    "put": Form("Put an object", "Put", _put_fields, _put, Capability.OBJECTS),
}
