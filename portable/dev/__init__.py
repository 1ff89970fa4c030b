"""An app at work on this machine: its server, and the engine that delivers messages, changes, blob events and ticks."""
