"""The loops that change weights. Everything here can be killed at any moment and goes on with the same command."""
