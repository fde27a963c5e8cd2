"""The kit that adapters are made with."""
