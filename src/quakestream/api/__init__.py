"""What HTTP asks and is answered, on the consumer's port.

app.py          the app, with what every route has in common
parameters.py   what may be asked: filters, times, cursors
documents.py    what is answered: the contract's JSON
earthquakes.py  lists, one earthquake, its picture
exposure.py     who is shaken, scenarios
feeds.py        Atom and CAP
places.py       names of places
lanes.py        how many requests are worked on at once, by what they cost
status.py       the sources' states
page.py         the dashboard's files
sharing.py      what a shared link says; icons.py: the page's icon for home screens
languages.py    which language a reader is answered in
embed.py        what may stand in another site's page, and the operator's handbook
alerting/       subscriptions, portfolios, trying them out, links of messages
"""
