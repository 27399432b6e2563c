"""`python -m longreach` is the command line."""

from longreach.cli import main

if __name__ == "__main__":
    main()
