"""mailout: newsletters and urgent appeals, honest about every single recipient."""

__version__ = "0.1.0"
