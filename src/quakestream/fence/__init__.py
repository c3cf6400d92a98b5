"""Whom an earthquake concerns: subscriptions, sites, people.

rules.py         the conditions of a subscription, one by one; the plain answer for one subscription
geofence.py      the same answer for all subscriptions at once
compiling.py     a subscription as rows of numbers
cells.py         these rows, by where they are
loops.py         the inner loops: loops_numba.py compiled, loops_numpy.py without numba
aftershocks.py   which earthquakes are aftershocks of a larger one
exposure.py      who is shaken how much, and what responders look at first
hindsight.py     how often a subscription would have fired, how often a site was shaken
scenario.py      an earthquake that never was, for drills
"""
