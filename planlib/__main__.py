"""`python -m planlib`, for schedulers that know only where Python is."""

from planlib.cli import main

if __name__ == "__main__":
    main()
