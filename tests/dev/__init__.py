"""Tests of `leeward dev`."""
