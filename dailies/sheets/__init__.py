"""Spreadsheets as people's tools write them, read as text: separators, quotes, encodings, workbooks, names of columns, odd cells."""
