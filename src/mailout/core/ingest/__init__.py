"""Ingest: posts from where they are - exports, feeds, pages, files - as plain values.

bytes -> a reader (`wxr`, `feed`, `page`, `document`) -> Items -> `prose` -> Markdown. Pure: nothing
here opens a file or a socket, and no reader raises anything but BadFile.
"""
