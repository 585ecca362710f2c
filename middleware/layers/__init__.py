"""What: one policy a file. Layers know `middleware.wsgi` and `middleware.http`, never each other."""
