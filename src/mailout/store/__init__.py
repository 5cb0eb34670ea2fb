"""The record: who is on which list, what was sent to whom, and what came of it.

Rows stay inside; what leaves is a value of `core` or a plain dataclass of this package.
"""
