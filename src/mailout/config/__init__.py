"""The site's files as a frozen `Site`: TOML in, values out, every complaint with its line."""
