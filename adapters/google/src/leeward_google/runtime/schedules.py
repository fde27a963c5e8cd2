"""Jobs of Cloud Scheduler."""

from __future__ import annotations

from typing import Final

from leeward.app.kit import Answer, Delivery, Handler, HttpRequest, tick_time
from leeward_google.runtime.call import Run

_JOB: Final = "x-cloudscheduler-jobname"
_TIME: Final = "x-cloudscheduler-scheduletime"


def is_tick(request: HttpRequest) -> bool:
    """Return whether a request comes from Cloud Scheduler, by its own word."""
    return request.headers.get("x-cloudscheduler") == "true"


def handle(run: Run, named: Handler | None) -> Answer:
    """Run the handler of a schedule: the one that is named, else that of the job."""
    headers = run.request.headers
    handler = named or run.host.schedule_handler(headers.get(_JOB, ""))
    if handler is None:
        return run.host.no_function()
    moment = tick_time(handler, headers.get(_TIME), run.host.platform.clock.now())
    key = f"{handler.name}#{moment.isoformat()}"
    return run.host.run(
        handler,
        Delivery(moment, run.id, key, run.seconds, None, headers.get("traceparent"), headers),
    )
