"""The first lines or rows of a file, which checks compare."""

__all__ = ["SAMPLE", "sample_lines"]

SAMPLE = 1000


def sample_lines(text):
    """Return the first lines that are not blank."""
    return [line for line in text.split("\n", SAMPLE)[:SAMPLE] if line.strip()]
