"""How each side gets to the stand-in for Azure."""

from __future__ import annotations

from bench.cloud import Cloud
from leeward import Client
from leeward.adapter import TargetConfig
from leeward_azure.driver import open_driver

KEY = "bGVld2FyZCBpcyBtZWFzdXJlZCB3aXRoIHRoaXMga2V5"
"""Of the account, in base64."""

DATABASE = "shop"


def options(cloud: Cloud, url: str) -> dict[str, str]:
    """Return leeward's options of the target on `url`."""
    return {
        "function_url": url,
        "function_key": KEY,
        "eventgrid_topic_url": url + "/{topic}/api/events",
        "eventgrid_key": KEY,
        "cosmos_endpoint": url,
        "cosmos_key": KEY,
        "cosmos_database": DATABASE,
        "ca_bundle": cloud.ca_file,
    }


def client(cloud: Cloud, url: str) -> Client:
    """Open leeward on `url`."""
    return Client(open_driver(TargetConfig("azure", "azure", None, options(cloud, url), {})))
