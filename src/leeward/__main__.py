"""``python -m leeward``: the command line."""

from leeward.cli import main

if __name__ == "__main__":
    main()
