"""CloudFront, as `leeward edge` asks for it."""

from __future__ import annotations

from typing import Final

from leeward_deploy.aws.edge_association import associate
from leeward_deploy.aws.edge_function import function_recipe
from leeward_deploy.aws.edge_rules import export
from leeward_deploy.edge.exports import Edge

EDGE: Final = Edge(export, recipe=function_recipe, associate=associate)
"""The entry point ``aws`` of ``leeward.edges``."""
