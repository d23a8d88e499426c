"""`python -m palier` is the `palier` command."""

from palier.cli import main

if __name__ == "__main__":
    main()
