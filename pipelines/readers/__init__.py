"""One file per format; each yields lazily what it holds, and refuses what it cannot trust."""
