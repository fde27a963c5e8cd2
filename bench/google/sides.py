"""How each side gets to the stand-in for Google Cloud."""

from __future__ import annotations

from bench.work import BUS
from leeward import Client
from leeward.adapter import TargetConfig
from leeward_google.driver import open_driver

PROJECT = "shop"
TOPIC = f"projects/{PROJECT}/topics/{BUS}"
TOKEN = "ya29." + "x" * 200
"""As long as Google's."""


def options(url: str) -> dict[str, str]:
    """Return leeward's options of the target on `url`."""
    return {
        "project": PROJECT,
        "function_url": url + "/{name}",
        "pubsub_endpoint": url,
        "firestore_endpoint": url,
        "access_token": TOKEN,
        "id_token": TOKEN,
    }


def client(url: str) -> Client:
    """Open leeward on `url`."""
    return Client(open_driver(TargetConfig("google", "google", None, options(url), {})))


def emulators(port: str) -> dict[str, str]:
    """Return the variables by which Google's clients find a server on `port`."""
    place = f"127.0.0.1:{port}"
    return {
        "PUBSUB_EMULATOR_HOST": place,
        "FIRESTORE_EMULATOR_HOST": place,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }
