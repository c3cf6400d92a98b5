"""Alerts: who wants to hear of what, which of them an earthquake concerns, and what each of them is told.

    subscription.py   what somebody asks for: where, what, how; JSON both ways
    portfolio.py      many sites of one's own, from CSV or GeoJSON
    area.py           polygons, countries and regions: checked, and how far an earthquake is from them
    rules.py          the conditions of a subscription, one by one; the plain answer for one subscription
    geofence.py       the same answer for all subscriptions at once
    matching.py       its inner loops, compiled
    policy.py         what is told: first, update, cancellation, or nothing, and why
    reasons.py        why, in the subscriber's words
    aftershocks.py    which earthquakes are aftershocks of a larger one
    exposure.py       who is shaken how much, and what responders look at first
    hindsight.py      how often a subscription would have fired, how often a site was shaken
    scenario.py       an earthquake that never was, for drills

Of all these only `geofence.py` needs numba, and loads it when the first geofence is made.
"""
