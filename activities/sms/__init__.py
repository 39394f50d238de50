"""Sending text messages (短信): the port to carriers, its adapters, and the activity that uses it."""
