"""What mailout knows without asking the world: values and decisions, no clock, socket or file.

Time, randomness and secrets come in as arguments, so that every decision here can
be tested by calling it.
"""
