"""Game days: call a function while targets fail on purpose, and judge what came of it."""
