"""Subscriptions and what becomes of them, over HTTP."""
