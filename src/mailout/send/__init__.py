"""The trip out: whom a send reaches, and every single delivery of it, queued to recorded."""
