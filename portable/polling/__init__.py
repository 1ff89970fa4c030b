"""What waits for an app is fetched here and handed to it, where no platform does so: messages, changes, ticks."""
