"""`python -m offshelf`, the same as `offshelf`."""

from offshelf.cli import main

if __name__ == "__main__":
    main()
