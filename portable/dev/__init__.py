"""An app at work on this machine: its server, and what it prints."""
