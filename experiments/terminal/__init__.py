"""Text for people: no numbers are computed."""
