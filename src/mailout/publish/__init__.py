"""The trip from posts to a compiled issue: read, draft, compile, approve."""
