"""CloudFront, as `leeward edge` asks for it."""

from __future__ import annotations

from typing import Final

from leeward.adapter.edge import Edge
from leeward_aws.deploy.edge_association import associate
from leeward_aws.deploy.edge_function import recipe
from leeward_aws.deploy.edge_rules import export

EDGE: Final = Edge(export, recipe=recipe, associate=associate)
"""The entry point ``aws`` of ``leeward.edges``."""
