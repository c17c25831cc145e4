"""What we measure: arrays in, small frozen results out."""
