"""Command line of tenfold: each command parses its options, calls one function and prints the result."""
