"""AWS, started once for each process that runs tests."""

from tests.aws.every import every, function
from tests.servers.aws.fixtures import aws_cloud, aws_clouds

__all__ = ["aws_cloud", "aws_clouds", "every", "function"]
