"""The wire: sessions with a relay, and the catching server of demo and tests."""
