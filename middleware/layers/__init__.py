"""The layers: one policy in each file. They import `middleware.wsgi` and `middleware.http`, never each other."""
