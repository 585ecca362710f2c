"""The stack: an immutable chain of layers, the rules of its order, and the predicates of its conditions."""
