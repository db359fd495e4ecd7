"""Reference cases of independent solvers and published tables, mapped onto planlib: `python -m tests.reference FILE`."""
