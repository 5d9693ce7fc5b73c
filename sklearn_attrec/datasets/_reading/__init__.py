"""Parts of `read_interactions`: from the bytes of a file to ids and times.

Everywhere, `raw` is the file, `source` its name for error messages, and `locate` maps
the position of a row to its location in the file, also for error messages.
"""
