"""The trip out: whom a send reaches, and every single delivery of it, claimed to recorded."""
