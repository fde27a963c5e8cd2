"""The flows that the tests run."""

from __future__ import annotations

from leeward.workflow import ANY, Flow, Ref, Retry, workflow


@workflow("order", timeout="24h")
def order_flow(w: Flow, order: Ref) -> None:
    """The order of the shop: checked, booked as a whole or not at all, and told about."""
    with w.attempt("check") as check:
        w.step("validate-order", order, effect="read_only", timeout="30s")
    with check.on("ValidationFailed"):
        told = {"order": order, "why": "invalid"}
        w.step("notify-customer", told, id="tell-invalid", effect="idempotent")
        w.stop("rejected")

    with w.attempt("fulfil") as fulfil, w.saga("booking", undo="parallel"):
        w.step("update-inventory", order, undo="restore-inventory", timeout="30s")
        payment = w.step(
            "process-payment",
            order,
            undo="refund-payment",
            effect="keyed",
            retry=Retry(on=("Call.Throttled", "GatewayBusy"), attempts=6, first=2, cap=30),
        )
        w.step("ship-order", {"order": order, "payment": payment}, timeout="30s")
    with fulfil.on(ANY) as error:
        told = {"order": order, "why": "failed", "error": error["name"], "steps": error["steps"]}
        w.step("notify-customer", told, id="tell-failed", effect="idempotent")
        w.fail("OrderFailed")
    told = {"order": order, "why": "shipped"}
    w.step("notify-customer", told, id="tell-shipped", effect="idempotent")


@workflow("everything", timeout="1h")
def everything(w: Flow, order: Ref) -> None:
    """Every kind of node."""
    with w.saga("all", undo="reverse"):
        with w.parallel("both") as both:
            with both.branch("left"):
                stock = w.step("take-stock", order, undo="give-stock")
            with both.branch("right"):
                w.step("take-money", {"order": order["id"]}, effect="keyed", undo="give-money")
        with w.choose("kind") as kind:
            with kind.when((order["kind"] == "gift") & ~order["plain"].is_present()):
                w.step("wrap", order, effect="idempotent")
            with kind.when(order["weight"].one_of([1, 2]) | (order["weight"] > 9)):
                w.step("weigh", order, effect="read_only")
            with kind.otherwise():
                w.wait("5m", id="pause")
        with w.each(order["lines"], "line", at_once=3) as line:
            w.step("pack", {"line": line, "stock": stock["place"], "$": ["$x", 1.5, None]})
    w.stop({"stock": stock})
