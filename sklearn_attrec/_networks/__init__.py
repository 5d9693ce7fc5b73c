"""One forward pass a model, written against the names of `keras.ops`."""
