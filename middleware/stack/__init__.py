"""The stack: an immutable chain of layers, and the rules of its order."""
