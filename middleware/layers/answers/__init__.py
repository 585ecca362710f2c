"""Layers that answer instead of the application: each file is one of them."""
