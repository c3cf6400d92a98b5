"""What somebody asks for: where, what, how.

subscription.py  the subscription: JSON both ways
conditions.py    its conditions, worked out into a few flat ones
area.py          polygons, countries and regions: checked, and how far an earthquake is from them
portfolio.py     many sites of one's own, from CSV or GeoJSON
earthquake.py    an earthquake, as subscriptions see it
registry.py      subscriptions in the catalogue's database
addresses.py     addresses that must be confirmed before anything is sent
file.py          subscriptions in a YAML file
"""
