"""The fence around a command: namespaces, files, kernel filter, terminal, and its end."""
