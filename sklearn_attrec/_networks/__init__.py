"""Networks: the forward pass and the loss of each model.

They use the function names of `keras.ops`.
"""
