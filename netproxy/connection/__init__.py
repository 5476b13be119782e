"""The life of one connection: who decides, and what a refusal looks like on each wire."""
