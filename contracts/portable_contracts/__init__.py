"""The contracts between `portable` and its adapters: abstract drivers, and the values that pass through them.

Standard library only. An adapter imports this package and its own SDK, and nothing else of the project.
"""
