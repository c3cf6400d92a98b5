"""Live push: every change, as it commits, to whoever listens, as server-sent events or over a WebSocket.

One task (`hub.py`) follows the change feed and writes; `joining.py` brings those up to date who come, or come back;
`journal.py` has the changes of late ready to be sent, `messages.py` their bytes; `connections.py` are the clients,
`positions.py` where each begins, `routes.py` the two addresses. `handing_over.py` gives a connection whose request was
checked by the app to its client object, which then writes straight to the transport:
docs/decisions/0008-push-writes-to-the-transport.md. The protocol is told to authors of clients in docs/live.md.
"""
