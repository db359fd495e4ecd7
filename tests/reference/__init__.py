"""Reference cases of independent solvers and published tables: `python -m tests.reference FILE`."""
