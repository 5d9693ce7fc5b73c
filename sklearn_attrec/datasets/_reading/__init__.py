"""Parts of `read_interactions`: from the bytes of a file to ids and times."""
