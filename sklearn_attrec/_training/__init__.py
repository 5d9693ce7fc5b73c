"""Training of networks: loop, compiled step, early stopping and checkpoints."""
