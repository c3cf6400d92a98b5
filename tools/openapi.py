"""Print the OpenAPI document of what the dashboard asks for: `dashboard/tools/types.mjs` makes TypeScript of it."""

from __future__ import annotations

import json
from typing import Any, cast

from quakestream.api.earthquakes import earthquakes_router
from quakestream.api.status import status_router
from quakestream.push.routes import push_router
from quakestream.web import Readiness, create_app, join

NOTHING = cast(Any, None)
"""Nobody is asked here: the routes are described, not called."""


async def ready() -> Readiness:
    """For the form's sake."""
    return Readiness("ok")


app = create_app(title="earthquake-consumer", description="", version="1", ready=ready)
for router in (push_router(NOTHING), earthquakes_router(NOTHING), status_router(NOTHING, NOTHING, NOTHING, NOTHING)):
    join(router, app)
print(json.dumps(app.openapi()))
