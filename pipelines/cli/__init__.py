"""The tenfold command: parses, calls one function, prints."""
