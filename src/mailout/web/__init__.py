"""The public pages, and the inbox of the catching server: doors that call one trip and render."""
