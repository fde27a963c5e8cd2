"""All planted faults, by the room that they are planted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.mutants import (
    aws,
    azure,
    backups,
    config,
    contract,
    dead_letters,
    delivery,
    development,
    envelope,
    google,
    handlers,
    idempotency,
    items,
    kit,
    lists,
    operations,
    operators,
    packages,
    pipeline,
    postgres,
    router,
    settling,
    settling_data,
    spool,
    triggers,
    urls,
    wire,
    workflow,
)
from tests.mutants.mutant import Mutant

ROOMS: Final[Mapping[str, Sequence[Mutant]]] = {
    "idempotency": idempotency.MUTANTS,
    "handlers": handlers.MUTANTS,
    "dead_letters": dead_letters.MUTANTS,
    "lists": lists.MUTANTS,
    "wire": wire.MUTANTS,
    "kit": kit.MUTANTS,
    "aws": aws.MUTANTS,
    "azure": azure.MUTANTS,
    "google": google.MUTANTS,
    "items": items.MUTANTS,
    "envelope": envelope.MUTANTS,
    "operations": operations.MUTANTS,
    "operators": operators.MUTANTS,
    "packages": packages.MUTANTS,
    "backups": backups.MUTANTS,
    "config": config.MUTANTS,
    "delivery": delivery.MUTANTS,
    "development": development.MUTANTS,
    "contract": contract.MUTANTS,
    "workflow": workflow.MUTANTS,
    "pipeline": pipeline.MUTANTS,
    "postgres": postgres.MUTANTS,
    "urls": urls.MUTANTS,
    "router": router.MUTANTS,
    "settling": settling.MUTANTS,
    "triggers": triggers.MUTANTS,
    "settling_data": settling_data.MUTANTS,
    "spool": spool.MUTANTS,
}
