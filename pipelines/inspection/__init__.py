"""What a file is, what it states, what is missing, and the command that ingests it."""
