"""Sorairo: an open Sora. Type a sentence, get a short, signed video from a model trained in the open."""

__version__ = "0.1.0"
