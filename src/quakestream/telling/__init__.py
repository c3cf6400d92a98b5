"""What subscribers are told, and how it gets there.

follower.py      reads the change feed and asks the fence and the policy
policy.py        what is told: first, update, cancellation, or nothing, and why
reasons.py       why, in the subscriber's words
messages.py      the words; sentences.py: their parts, in each language
composing.py     a message, from what waits in the outbox
outbox.py        what waits to be sent, in the catalogue's database
delivery.py      sends it through channels
alerts.py        all of these at work
"""
