"""What: one policy a file. Layers know the protocol by `middleware.wsgi` and the syntax by `middleware.http`, never each other."""
