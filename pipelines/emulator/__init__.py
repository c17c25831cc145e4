"""Fields from parameters: training of the generator of mass maps, and what it samples."""
