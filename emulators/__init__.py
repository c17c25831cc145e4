"""What learns: networks, losses and the training loop; arrays in, never paths, ranks or clusters."""
