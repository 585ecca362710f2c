"""The content codings of the compression layer (RFC 9110 8.4.1): one codec a file. No layer of their own."""
