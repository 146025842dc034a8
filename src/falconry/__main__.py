"""`python -m falconry`: the same as the command `falconry`."""

from falconry.cli import main

if __name__ == "__main__":
    main()
