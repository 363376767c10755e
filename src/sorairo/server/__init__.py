"""The service: HTTP, jobs, keys, files. The only room that knows HTTP and SQL; never samples and never signs by itself.

Nothing here loads on import: the web process runs without torch, and the command line without either.
"""
