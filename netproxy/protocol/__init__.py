"""Wire protocols without I/O: bytes in, one event out, every buffer bounded."""
