"""Writing: a piece of foreign HTML as Markdown; `clean` -> `block` and `span`, with `notes`."""
