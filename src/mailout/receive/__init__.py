"""The way in: what comes back is kept, looked at, and acted upon."""
