"""Files that people send and receive, decks apart: the plan as one Excel workbook, out and back in."""
